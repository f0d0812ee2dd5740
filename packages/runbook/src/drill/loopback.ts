/** HTTP to 127.0.0.1 and nowhere else: redirects are not followed, proxies not used, answers bounded. */
import { request } from 'node:http';
import { createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';
/** Of an answer's body no more is read. */
const MAX_BODY_BYTES = 4 * 1_024 * 1_024;

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A port nobody listens on now; whoever is to have it takes it soon. */
export async function findFreePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once('error', reject);
  server.listen(0, LOOPBACK, () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
  });
  return promise;
}

/** @returns `null` when nobody answered within `timeoutMs` */
export async function askLoopback(
  port: number,
  { method, path }: { readonly method: string; readonly path: string },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Answer | null> {
  const { promise, resolve } = Promise.withResolvers<Answer | null>();
  const ends = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)))]);
  const asked = request(
    { host: LOOPBACK, port, method, path, signal: ends, agent: false, headers: { connection: 'close' } },
    (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) response.destroy();
        else chunks.push(chunk);
      });
      response.on('error', () => resolve(null));
      response.on('close', () => {
        const complete = response.complete && size <= MAX_BODY_BYTES;
        resolve(complete ? { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() } : null);
      });
    },
  );
  asked.on('error', () => resolve(null));
  asked.end();
  const answer = await promise;
  signal.throwIfAborted();
  return answer;
}
