/** The one-time token that a person carries from the console to the host: `hf1.<secret>.<fingerprint of the CA>`. */
import { HoldfastError } from '@holdfast/core';

/** The secret has at least 128 bits; a SHA-256 in base64url has 43 characters. */
const TOKEN_PATTERN = /^hf1\.[A-Za-z0-9_-]{22,128}\.([A-Za-z0-9_-]{43})$/;

/**
 * @returns the SHA-256 of the CA's SubjectPublicKeyInfo, base64url: the only server the secret is shown to
 * @throws `ERR_AGENT_TOKEN_INVALID`
 */
export function parseTokenFingerprint(token: string): string {
  const fingerprint = TOKEN_PATTERN.exec(token)?.[1];
  if (fingerprint !== undefined) return fingerprint;
  throw new HoldfastError('the enrolment token is not well formed', { code: 'ERR_AGENT_TOKEN_INVALID' });
}
