/** Where this installation is: the directory that holds `apps`, `packages` and `node_modules`. */
import { resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '../../..');
export const CONSOLE_DIRECTORY = resolve(REPOSITORY, 'apps/console/dist');
