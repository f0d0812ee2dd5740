/** The unprivileged users of a host: found, or made as system users without home, shell or password. */
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { SpawnCommandRunner } from '@holdfast/host-linux';

/** Who the agent runs as. */
export const AGENT_USER = 'holdfast';
/** Who confined commands run as, unless their profile says another. */
export const SANDBOX_USER = 'holdfast-sandbox';

interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

export function findUser(name: string): UserIds | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** @throws `ERR_CLI_NEEDS_ROOT` when the user is missing and cannot be made */
export async function ensureSystemUser(name: string, signal: AbortSignal): Promise<UserIds> {
  const found = findUser(name);
  if (found !== undefined) return found;
  const { exitCode } = await new SpawnCommandRunner().run(
    [
      '/usr/sbin/useradd',
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/usr/sbin/nologin',
      name,
    ],
    { timeoutMs: 30_000, maxOutputBytes: 64 * 1024 },
    signal,
  );
  const made = findUser(name);
  if (made !== undefined) return made;
  throw new HoldfastError(`the user ${name} could not be made`, {
    code: 'ERR_CLI_NEEDS_ROOT',
    fields: { exitCode: exitCode ?? -1 },
  });
}
