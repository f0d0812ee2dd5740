/** The contract of `SocketReader`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { ListeningSocket, SocketReader } from '../ports.ts';
import { calm, honoursAbort, type Scope, type SuiteOptions } from './scope.ts';

export interface SocketsSubject {
  readonly sockets: SocketReader;
  /** Opens a listener and resolves when it listens. */
  readonly listen: (
    socket: Omit<ListeningSocket, 'port'>,
  ) => Promise<{ readonly port: number; readonly close: () => Promise<void> }>;
}

export function describeSockets(
  name: string,
  open: (scope: Scope) => Promise<SocketsSubject>,
  options: SuiteOptions = {},
): void {
  describe(`SocketReader: ${name}`, options, () => {
    for (const wanted of [
      { protocol: 'tcp', address: '127.0.0.1' },
      { protocol: 'tcp', address: '0.0.0.0' },
      { protocol: 'tcp', address: '::1' },
      { protocol: 'udp', address: '127.0.0.1' },
      { protocol: 'udp', address: '::' },
    ] as const) {
      it(`C-01: sees a ${wanted.protocol} listener on ${wanted.address} come and go`, async (t) => {
        const { sockets, listen } = await open(t);
        const listener = await listen(wanted);
        const matches = async (): Promise<ListeningSocket[]> =>
          (await sockets.list(calm())).filter(
            ({ protocol, port }) => protocol === wanted.protocol && port === listener.port,
          );
        try {
          assert.deepEqual(await matches(), [{ ...wanted, port: listener.port }]);
        } finally {
          await listener.close();
        }
        assert.deepEqual(await matches(), []);
      });
    }

    it('has a stable order', async (t) => {
      const { sockets } = await open(t);
      assert.deepEqual(await sockets.list(calm()), await sockets.list(calm()));
    });

    it('ends when the signal is aborted', async (t) => {
      const { sockets } = await open(t);
      await honoursAbort((signal) => sockets.list(signal));
    });
  });
}
