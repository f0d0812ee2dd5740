/** The directories and configuration files of a host, with the owners and modes that keep agent and guard apart. */
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { HostPaths } from '@holdfast/api';
import { writeFileAtomically } from './atomic-file.ts';
import { formatAgentConfig } from './config.ts';

export interface HostOwners {
  /** The agent's user; the guard is whoever runs this. */
  readonly agentUid: number;
  readonly agentGid: number;
}

interface OwnedDirectory {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

const GUARD_CONFIG = `# Options of the Holdfast guard. What is commented out has the value shown, or is an example.

# Group that may connect to the guard's socket.
# socketGroup = "holdfast"

# What is taken out of evidence before it is signed, besides what every guard takes out: tokens of your
# own, by a fixed prefix and at least so many characters (digits, hex, alphanumeric, base64 or base64url)
# after it, and values by the name they stand under. A rule that is not valid keeps the guard from starting.
# [[redaction.tokens]]
# class = "acme-token"
# prefix = "acme_"
# characters = "alphanumeric"
# minLength = 16
# [[redaction.labels]]
# class = "badge"
# label = "badgeNumber"
`;

/** Makes one directory as it should be; one that is there is corrected. */
function makeDirectory({ path, mode, uid, gid }: OwnedDirectory): void {
  mkdirSync(path, { recursive: true, mode });
  chmodSync(path, mode);
  chownSync(path, uid, gid);
}

/**
 * Makes all directories of a host (G-01: keys and state of the guard are root's alone; the agent
 * reads evidence, and writes only its own state). Running it again corrects owners and modes.
 *
 * @param guardUid 0, or the running user on a host that has no root
 */
export function makeHostDirectories(paths: HostPaths, owners: HostOwners, guardUid: number, guardGid: number): void {
  const { agentUid, agentGid } = owners;
  const directories: readonly OwnedDirectory[] = [
    { path: dirname(paths.agentConfig), mode: 0o755, uid: guardUid, gid: guardGid },
    { path: dirname(paths.guardState), mode: 0o755, uid: guardUid, gid: guardGid },
    { path: paths.guardState, mode: 0o700, uid: guardUid, gid: guardGid },
    { path: dirname(paths.hostKey), mode: 0o700, uid: guardUid, gid: guardGid },
    { path: paths.evidence, mode: 0o750, uid: guardUid, gid: agentGid },
    { path: paths.agentState, mode: 0o700, uid: agentUid, gid: agentGid },
    { path: dirname(paths.socket), mode: 0o755, uid: guardUid, gid: guardGid },
  ];
  for (const directory of directories) makeDirectory(directory);
}

/** Writes the configuration files that are not there yet, with every option explained; keeps those that are. */
export function writeHostConfig(paths: HostPaths): void {
  if (!existsSync(paths.agentConfig)) writeFileAtomically(paths.agentConfig, formatAgentConfig(), 0o644);
  if (!existsSync(paths.guardConfig)) writeFileAtomically(paths.guardConfig, GUARD_CONFIG, 0o644);
}
