/** `holdfast gate key`: makes the key of one person, and says what to write into the gate file. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { encodeBase64, generateSigner } from '@holdfast/crypto';
import type { CommandResult } from '../../output.ts';
import { keyPath, type SigningOptions } from './opened-gate.ts';

export function key(options: SigningOptions & { readonly id: string }): CommandResult {
  const path = keyPath(options);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { keyId, publicKey } = generateSigner(path);
  const encoded = encodeBase64(publicKey);
  const text = [
    `# Your private key is ${path}; it never leaves this machine. Its id is ${keyId}.`,
    '# Add this to `people` of the gate file, or the key to your entry there:',
    `  - id: ${options.id}`,
    '    name: Your Name',
    '    contact: you@example.com',
    '    roles: [implementer, reviewer]',
    `    keys: ["${encoded}"]`,
    '    git: [you@example.com]',
  ].join('\n');
  return { data: { file: path, keyId, publicKey: encoded }, text };
}
