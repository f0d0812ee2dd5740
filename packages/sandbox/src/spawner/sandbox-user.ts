/**
 * Who a command runs as. That is a user of the host which exists for it; a spawner that one
 * person starts for themselves may stand in for the default one with a number nobody has.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { DEFAULT_SANDBOX_PROFILE } from '@holdfast/policy';

export interface SlotOwner {
  readonly uid: number;
  readonly gid: number;
}

/** `owner` is `null` where nobody else can be become: commands then run as who we are. */
export type SandboxUser =
  | { readonly owner: SlotOwner; readonly says: string }
  | { readonly owner: null; readonly reason: string; readonly fix: string };

interface UserSource {
  /** By name, before those in /etc/passwd. */
  readonly users: Readonly<Record<string, SlotOwner>>;
  readonly standInForMissing: boolean;
}

/** systemd's dynamic users, which package managers give to nobody: https://systemd.io/UIDS-GIDS */
const [FIRST_RESERVED, LAST_RESERVED] = [61_184, 65_519];

/** @throws `ERR_SANDBOX_PROFILE` when the user is root, or one other than the default that does not exist */
export function findSandboxUser(name: string, { users, standInForMissing }: UserSource): SandboxUser {
  if (process.getuid?.() !== 0) {
    return {
      owner: null,
      reason: 'only root can start a command as another user',
      fix: 'run it as root, or with the profile plain-user',
    };
  }
  const owner = users[name] ?? parsePasswd(readFileSync('/etc/passwd', 'utf8')).get(name);
  if (owner !== undefined && owner.uid !== 0 && owner.gid !== 0) return { owner, says: `${name}, number ${owner.uid}` };
  if (owner !== undefined || name !== DEFAULT_SANDBOX_PROFILE.user) {
    throw new HoldfastError('the user of the sandbox profile is not one to run commands as', {
      code: 'ERR_SANDBOX_PROFILE',
      fields: { place: 'user', value: name },
    });
  }
  const reason = `this host has no user ${name}`;
  if (!standInForMissing) {
    return { owner: null, reason, fix: 'systemd-sysusers /opt/holdfast/packaging/sysusers.d/holdfast.conf' };
  }
  const uid = findUnnamedUid();
  return { owner: { uid, gid: uid }, says: `number ${uid}, which is nobody's: ${reason}` };
}

/** A number that no database has and no process runs as; several spawners start looking at different places. */
function findUnnamedUid(): number {
  const taken = new Set([
    ...[...parsePasswd(readFileSync('/etc/passwd', 'utf8')).values()].map(({ uid }) => uid),
    ...[...parsePasswd(readFileSync('/etc/group', 'utf8')).values()].map(({ uid }) => uid), // its third field is the gid
    ...runningUids(),
  ]);
  const count = LAST_RESERVED - FIRST_RESERVED + 1;
  for (let tried = 0; tried < count; tried++) {
    const uid = FIRST_RESERVED + ((process.pid + tried) % count);
    if (!taken.has(uid)) return uid;
  }
  throw new HoldfastError('every number for unnamed users is taken', {
    code: 'ERR_SANDBOX_PROFILE',
    fields: { place: 'user', value: `${FIRST_RESERVED} to ${LAST_RESERVED}` },
  });
}

/** Real, effective, saved and file system ids of everything that runs. */
function runningUids(): readonly number[] {
  const statuses = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/status`, 'latin1');
      } catch {
        return ''; // it ended
      }
    });
  const lines = statuses.join('\n').matchAll(/^[UG]id:\t([\t\d]+)$/gm);
  return [...lines].flatMap(([, ids = '']) => ids.split('\t').map(Number));
}

/** passwd(5), by name. */
function parsePasswd(text: string): ReadonlyMap<string, SlotOwner> {
  return new Map(
    text
      .split('\n')
      .map((line) => line.split(':'))
      .filter(([name, , uid]) => name !== undefined && name !== '' && /^\d+$/.test(uid ?? ''))
      .map(([name = '', , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }] as const),
  );
}
