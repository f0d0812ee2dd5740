/** `holdfast gate key`: makes the key of one person, and says what to write into the gate file. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { encodeBase64, generateSigner } from '@holdfast/crypto';
import type { CommandResult } from '../../output.ts';
import { keyPath, type SigningOptions } from './opened-gate.ts';

export function key(options: SigningOptions & { readonly id: string }): CommandResult {
  const path = keyPath(options);
  if (existsSync(path))
    throw new HoldfastError('there is a key already: keep it, or name another file with --key', {
      code: 'ERR_INPUT_INVALID',
      fields: { file: path },
    });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { keyId, publicKey } = generateSigner(path);
  const encoded = encodeBase64(publicKey);
  const text = [
    `# Your private key is ${path}; it never leaves this machine. Its id is ${keyId}.`,
    `# Put this into the entry of ${options.id}, among \`people\` of the gate file, with your name, how to reach you, and your roles:`,
    `    keys: ["${encoded}"]`,
  ].join('\n');
  return { data: { file: path, keyId, publicKey: encoded }, text };
}
