/** The unprivileged user of the agent: found, or made as a system user without home, shell or password. */
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { SpawnCommandRunner } from '@holdfast/host-linux';

export const AGENT_USER = 'holdfast';

interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

function findUser(): UserIds | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${AGENT_USER}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** @throws `ERR_CLI_NEEDS_ROOT` when the user is missing and cannot be made */
export async function ensureAgentUser(signal: AbortSignal): Promise<UserIds> {
  const found = findUser();
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
      AGENT_USER,
    ],
    { timeoutMs: 30_000, maxOutputBytes: 64 * 1024 },
    signal,
  );
  const made = findUser();
  if (made !== undefined) return made;
  throw new HoldfastError(`the user ${AGENT_USER} could not be made`, {
    code: 'ERR_CLI_NEEDS_ROOT',
    fields: { exitCode: exitCode ?? -1 },
  });
}
