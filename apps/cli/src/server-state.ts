/** Where a control plane on this machine keeps what the command line needs of it. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const OTHERS_MAY_ENTER = 0o001;

/**
 * `.holdfast` below the current directory. As root below a directory that is closed to others, such
 * as /root, a directory of /var/lib instead: the database is never run as root, and its user has to
 * be able to reach it.
 */
export function defaultStateDirectory(currentDirectory: string): string {
  const own = join(currentDirectory, '.holdfast');
  if (process.getuid?.() !== 0 || isOpen(currentDirectory)) return own;
  const name = createHash('sha256').update(currentDirectory).digest('hex').slice(0, 12);
  return `/var/lib/holdfast/up-${name}`;
}

function isOpen(directory: string): boolean {
  if ((statSync(directory).mode & OTHERS_MAY_ENTER) === 0) return false;
  const parent = dirname(directory);
  return parent === directory || isOpen(parent);
}

export const serverDirectory = (stateDirectory: string): string => join(stateDirectory, 'server');
export const labDirectory = (stateDirectory: string): string => join(stateDirectory, 'lab');
/** Address of console and agent listener, for commands in other terminals. */
export const endpointPath = (stateDirectory: string): string => join(stateDirectory, 'endpoint.json');
export const operatorTokenPath = (stateDirectory: string): string =>
  join(serverDirectory(stateDirectory), 'operator-token');
/** Signs orders and baselines; its public half is in every host's trust. */
export const baselineKeyPath = (stateDirectory: string): string =>
  join(serverDirectory(stateDirectory), 'keys', 'order.key');
