/** A transport that tries again (C-34): after 1, 2 and 4 s for connection errors, 429 and 5xx, never for other answers. */
import { hasCode } from '@holdfast/core';
import type { Sleep } from './ports.ts';
import type { HttpAnswer, Transport } from './transport.ts';

const DELAYS_MS = [1_000, 2_000, 4_000];
/** A server may ask for patience, not for silence: what it asks beyond this comes with the next cycle. */
const MAX_RETRY_AFTER_MS = 30_000;

const isTransient = ({ status }: HttpAnswer): boolean => status === 429 || (status >= 500 && status <= 599);

/** Resolves with the last answer when all tries were in vain. */
export function withRetry(transport: Transport, sleep: Sleep): Transport {
  return {
    send: async (method, path, body, signal) => {
      for (let attempt = 0; ; attempt++) {
        const delayMs = DELAYS_MS[attempt];
        let waitMs = delayMs ?? 0;
        try {
          const answer = await transport.send(method, path, body, signal);
          if (!isTransient(answer) || delayMs === undefined) return answer;
          waitMs = Math.min(answer.retryAfterMs ?? waitMs, MAX_RETRY_AFTER_MS);
        } catch (error) {
          if (!hasCode(error, 'ERR_AGENT_CONNECTION') || delayMs === undefined) throw error;
        }
        await sleep(waitMs, signal);
      }
    },
  };
}
