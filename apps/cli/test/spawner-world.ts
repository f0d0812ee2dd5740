/**
 * Run by `spawner-access.test.ts` in a mount namespace of its own, whose /etc/passwd has the users of
 * an installed host: `holdfast spawner` as its unit starts it, and what each user gets from it.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostPaths } from '@holdfast/api';

const USERS = { agent: 64_090, sandbox: 64_091, third: 64_092 } as const;
type Outcome = Readonly<Record<string, string>>;
/** What a user got, by what it asked for; on a host without the sandbox's user, and on a whole one. */
export interface Outcomes {
  readonly rootWithoutUser: Outcome;
  readonly root: Outcome;
  readonly agent: Outcome;
  readonly third: Outcome;
}

const here = import.meta.dirname;
const directory = mkdtempSync('/tmp/holdfast-spawner-');
chmodSync(directory, 0o755);
const passwd = join(directory, 'passwd');
const writeUsers = (...names: readonly string[]): void =>
  writeFileSync(passwd, ['root:x:0:0::/:/bin/sh', ...names, ''].join('\n'));
const agentLine = `holdfast:x:${USERS.agent}:${USERS.agent}::/nonexistent:/usr/sbin/nologin`;
const { spawnerSocket } = hostPaths(directory);
const node = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;

function ask(uid: number): Outcome {
  // All in the agent's group, so that the socket opens and the spawner itself decides.
  const { stdout } = spawnSync(node[0], [node[1], join(here, 'spawner-client.ts'), spawnerSocket], {
    uid,
    gid: USERS.agent,
    env: {},
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(stdout) as Outcome;
}

async function withSpawner<T>(work: () => T): Promise<T> {
  const main = join(here, '../src/main.ts');
  const child = spawn(node[0], [node[1], main, 'spawner', '--root', directory], {
    env: {},
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    await once(child.stderr, 'data'); // that it listens
    return work();
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

if (import.meta.main) {
  writeUsers(agentLine);
  execFileSync('/usr/bin/mount', ['--bind', passwd, '/etc/passwd']);
  try {
    const rootWithoutUser = await withSpawner(() => ask(0));
    writeUsers(agentLine, `holdfast-sandbox:x:${USERS.sandbox}:${USERS.sandbox}::/nonexistent:/usr/sbin/nologin`);
    const outcomes: Outcomes = await withSpawner(() => ({
      rootWithoutUser,
      root: ask(0),
      agent: ask(USERS.agent),
      third: ask(USERS.third),
    }));
    process.stdout.write(JSON.stringify(outcomes));
  } finally {
    execFileSync('/usr/bin/umount', ['/etc/passwd']);
    rmSync(directory, { recursive: true });
  }
}
