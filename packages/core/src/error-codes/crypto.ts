/** Error codes of keys, signatures and logs of hashes. */
import type { ErrorTable } from './table.ts';

export const CRYPTO_ERRORS = {
  ERR_KEY_INVALID: {
    remedy: 'fix-input',
    title: 'The key cannot be used',
    text: 'A key file is missing, empty, truncated, of another type than Ed25519, readable by others, a symlink, or owned by somebody else. Holdfast never signs with such a key and never makes one up instead.',
  },
  ERR_ENVELOPE_MALFORMED: {
    remedy: 'give-up',
    title: 'The envelope is malformed',
    text: 'The bytes are not a DSSE envelope in its one canonical encoding: not JSON, unknown or repeated members, white space, base64 with stray bits, no signature, or too large. Nothing was read from it.',
  },
  ERR_SIGNATURE_INVALID: {
    remedy: 'give-up',
    title: 'The signature does not verify',
    text: 'No signature of the envelope verifies under a key that is pinned and valid for this purpose. Treat the content as never received.',
  },
} as const satisfies ErrorTable;
