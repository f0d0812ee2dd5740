/** Where a control plane on this machine keeps what the command line needs of it. */
import { join } from 'node:path';

export const serverDirectory = (stateDirectory: string): string => join(stateDirectory, 'server');
export const labDirectory = (stateDirectory: string): string => join(stateDirectory, 'lab');
/** Address of console and agent listener, for commands in other terminals. */
export const endpointPath = (stateDirectory: string): string => join(stateDirectory, 'endpoint.json');
export const operatorTokenPath = (stateDirectory: string): string =>
  join(serverDirectory(stateDirectory), 'operator-token');
/** Signs orders and baselines; its public half is in every host's trust. */
export const baselineKeyPath = (stateDirectory: string): string =>
  join(serverDirectory(stateDirectory), 'keys', 'order.key');
