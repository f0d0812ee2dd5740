/** Reads a guard's answers: lines in, checked responses out. Bounded, and strict about what answers. */
import { type GuardResponse, GuardResponseSchema, MAX_GUARD_RESPONSE_BYTES } from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { LineDecoder } from '../socket/line-decoder.ts';

export class ResponseReader {
  readonly #decoder = new LineDecoder(MAX_GUARD_RESPONSE_BYTES);

  /** @throws `ERR_GUARD_PROTOCOL` */
  push(bytes: Uint8Array): GuardResponse[] {
    try {
      return this.#decoder.push(bytes).map((line) => {
        const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
        return GuardResponseSchema.parse(JSON.parse(text));
      });
    } catch {
      // The causes quote the answer, which may hold what the host's files hold.
      throw new HoldfastError('the answer is not one of a guard', { code: 'ERR_GUARD_PROTOCOL' });
    }
  }
}
