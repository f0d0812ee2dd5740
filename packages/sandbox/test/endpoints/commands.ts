/** Commands that use the network in a few lines of perl, which every Debian has, and a spawner to run them. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type SandboxEndpoint, type SandboxProfile, SandboxProfileSchema } from '@holdfast/policy';
import type { SandboxJob } from '../../src/index.ts';
import { SpawnerClient } from '../../src/client/spawner-client.ts';
import { serveConnection } from '../../src/spawner/serve-connection.ts';
import { Spawner } from '../../src/spawner/spawner.ts';

/** What `in-own-network.ts` prints. */
export interface Outcome {
  readonly web: string;
  readonly database: string;
  readonly elsewhere: string;
}

export function profileFor(endpoints: readonly SandboxEndpoint[]): SandboxProfile {
  return SandboxProfileSchema.parse({
    name: 'endpoints',
    user: 'nobody',
    network: { endpoints },
    syscalls: { purposes: ['base', 'files', 'processes', 'signals', 'events', 'sockets'] },
  });
}

const PRELUDE = `use strict; use IO::Socket::INET; use Socket;
  sub connected { IO::Socket::INET->new(PeerAddr => $_[0], PeerPort => $_[1], Timeout => 5) ? "yes\\n" : "no\\n" }`;

export function perl(profile: SandboxProfile, script: string): SandboxJob {
  return { profile, argv: ['/usr/bin/perl', '-e', `${PRELUDE} ${script}`], timeoutMs: 20_000 };
}

/** Declares `$s`, connected and unbuffered, or ends. */
export function connectTo(host: string, port: number): string {
  return `my $s = IO::Socket::INET->new(PeerAddr => '${host}', PeerPort => ${port}) or die "connect: $!"; $s->autoflush(1);`;
}

export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const bytes of stream) chunks.push(bytes);
  return Buffer.concat(chunks).toString();
}

/** A spawner in this very process, so that what it leaves open can be counted. */
export async function openHere(): Promise<AsyncDisposable & { readonly client: SpawnerClient }> {
  const spawner = await Spawner.open({ directory: '/run/holdfast/sandbox' });
  const server = createServer().listen(`\0holdfast-test-${process.pid}-${process.hrtime.bigint()}`);
  const ours = connect(server.address() as string); // an abstract socket has its name for an address
  const [theirs] = (await once(server, 'connection')) as [Socket];
  server.close();
  const served = serveConnection(spawner, theirs);
  const client = new SpawnerClient(ours, () => served);
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await spawner[Symbol.asyncDispose]();
    },
  };
}
