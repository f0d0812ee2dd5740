/** Password hashing: Argon2id (RFC 9106 §4, second recommended option with less memory) from node:crypto. */
import { HoldfastError } from '@holdfast/core';
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';

/** T-06. */
export const MIN_PASSWORD_CHARS = 12;
const TAG_BYTES = 32;

function hash(password: string, salt: Uint8Array): Promise<Buffer> {
  const parameters = {
    message: password,
    nonce: salt,
    parallelism: 1,
    memory: 19_456,
    passes: 2,
    tagLength: TAG_BYTES,
  };
  return new Promise((resolve, reject) => {
    argon2('argon2id', parameters, (error, tag) => (error === null ? resolve(tag) : reject(error)));
  });
}

/** @throws `ERR_INPUT_INVALID` when it is too short */
export async function hashPassword(password: string): Promise<{ salt: Uint8Array; hash: Uint8Array }> {
  if (password.length < MIN_PASSWORD_CHARS)
    throw new HoldfastError('the password is too short', { code: 'ERR_INPUT_INVALID' });
  const salt = randomBytes(16);
  return { salt, hash: await hash(password, salt) };
}

export async function isPassword(password: string, salt: Uint8Array, expected: Uint8Array): Promise<boolean> {
  const actual = await hash(password, salt);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
