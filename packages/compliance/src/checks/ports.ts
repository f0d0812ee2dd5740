/** Sockets that accept traffic, against the baseline (C-13). */
import type { Finding } from '@holdfast/evidence';
import type { ListeningSocket } from '@holdfast/host';
import { z } from 'zod';
import type { Check } from '../check.ts';
import { attempt, fail, pass, unknown } from '../finding.ts';
import { Address, Port, unique } from '../values.ts';

const Socket = z.strictObject({ protocol: z.enum(['tcp', 'udp']), address: Address, port: Port });

export const PortsExpectation = z.strictObject({
  listening: unique(Socket, 200, nameOf),
  /** Ranges nobody looks at, such as the ports clients get from the kernel. */
  ignore: z
    .array(
      z
        .strictObject({ protocol: z.enum(['tcp', 'udp']), from: Port, to: Port })
        .refine((range) => range.from <= range.to, { path: ['to'], message: 'is smaller than from' }),
    )
    .max(20)
    .default([]),
});
export type PortsExpectation = z.infer<typeof PortsExpectation>;

export const ports: Check<PortsExpectation> = {
  name: 'ports',
  title: 'Exactly the sockets of the baseline are listening',
  expectation: PortsExpectation,
  timeoutMs: 5_000,

  async run({ listening, ignore }, { host }, signal): Promise<readonly Finding[]> {
    const read = await attempt(() => host.sockets.list(signal), signal);
    if (!read.ok) return [unknown('high', 'ports-unreadable', 'sockets', `Sockets cannot be listed: ${read.why}`)];

    const ignored = (socket: ListeningSocket): boolean =>
      ignore.some(({ protocol, from, to }) => socket.protocol === protocol && socket.port >= from && socket.port <= to);
    // Several sockets may share an address (SO_REUSEPORT): they are one to the outside.
    const observed = new Set(read.value.map(nameOf));
    const unexpected = new Set(
      read.value
        .filter((socket) => !ignored(socket))
        .map(nameOf)
        .toSorted(),
    );
    const findings: Finding[] = [];
    for (const name of listening.map(nameOf).toSorted()) {
      unexpected.delete(name);
      if (observed.has(name)) {
        findings.push(pass('port-ok', name, `${name} is listening`, { observed: 'listening', expected: 'listening' }));
      } else {
        const comparison = { observed: 'closed', expected: 'listening' };
        findings.push(fail('medium', 'port-missing', name, `Nothing is listening on ${name}`, comparison));
      }
    }
    for (const name of unexpected) {
      const comparison = { observed: 'listening', expected: 'closed' };
      findings.push(fail('high', 'port-unexpected', name, `${name} is listening and not in the baseline`, comparison));
    }
    if (findings.length === 0) {
      findings.push(pass('ports-none', 'sockets', 'Nothing is listening', { observed: [], expected: [] }));
    }
    return findings;
  },
};

/** `tcp 0.0.0.0:22`, `udp [::]:53` */
export function nameOf({ protocol, address, port }: ListeningSocket): string {
  return `${protocol} ${address.includes(':') ? `[${address}]` : address}:${port}`;
}
