/**
 * Sockets that accept traffic, against the baseline (C-13). What differs is looked at twice: a
 * program that asks a name server binds a socket for milliseconds, and a service that reloads closes
 * its own for as long.
 */
import { setTimeout as wait } from 'node:timers/promises';
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

/** Longer than a query to a name or time server on the same network, or the restart of a listener; shorter than an attack is worth. */
const SECOND_LOOK_MS = 150;

export const ports: Check<PortsExpectation> = {
  name: 'ports',
  title: 'Exactly the sockets of the baseline are listening',
  expectation: PortsExpectation,
  timeoutMs: 5_000,

  async run({ listening, ignore }, { host }, signal): Promise<readonly Finding[]> {
    const ignored = (socket: ListeningSocket): boolean =>
      ignore.some(({ protocol, from, to }) => socket.protocol === protocol && socket.port >= from && socket.port <= to);
    // Several sockets may share an address (SO_REUSEPORT): they are one to the outside.
    const expected = new Set(listening.map(nameOf));
    const look = async (): Promise<{ missing: Set<string>; unexpected: Set<string> }> => {
      const sockets = await host.sockets.list(signal);
      const observed = new Set(sockets.map(nameOf));
      const looked = new Set(sockets.filter((socket) => !ignored(socket)).map(nameOf));
      return { missing: expected.difference(observed), unexpected: looked.difference(expected) };
    };
    const lookTwice = async (): Promise<{ missing: Set<string>; unexpected: Set<string> }> => {
      const first = await look();
      if (first.missing.size === 0 && first.unexpected.size === 0) return first;
      await wait(SECOND_LOOK_MS, undefined, { signal });
      const second = await look();
      return {
        missing: first.missing.intersection(second.missing),
        unexpected: first.unexpected.intersection(second.unexpected),
      };
    };
    const read = await attempt(lookTwice, signal);
    if (!read.ok) return [unknown('high', 'ports-unreadable', 'sockets', `Sockets cannot be listed: ${read.why}`)];

    const { missing, unexpected } = read.value;
    const findings: Finding[] = [];
    for (const name of [...expected].toSorted()) {
      if (!missing.has(name)) {
        findings.push(pass('port-ok', name, `${name} is listening`, { observed: 'listening', expected: 'listening' }));
      } else {
        const comparison = { observed: 'closed', expected: 'listening' };
        findings.push(fail('medium', 'port-missing', name, `Nothing is listening on ${name}`, comparison));
      }
    }
    for (const name of [...unexpected].toSorted()) {
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
