/** The control plane's own signing keys: files of the state directory, never rows (P-01). */
import { generateSigner, loadSigner, type Signer } from '@holdfast/crypto';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

export interface ServerKeys {
  /** Signs checkpoints and inclusion promises. */
  readonly log: Signer;
  /** Signs orders and baselines. */
  readonly order: Signer;
}

export function openServerKeys(stateDir: string): ServerKeys {
  const directory = join(stateDir, 'keys');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const open = (name: string): Signer => {
    const path = join(directory, name);
    return existsSync(path) ? loadSigner(path) : generateSigner(path);
  };
  return { log: open('log.key'), order: open('order.key') };
}
