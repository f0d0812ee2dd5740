/** The checks there are. Adding one: `docs/guides/add-a-check.md`. */
import type { Check } from './check.ts';
import { accounts } from './checks/accounts.ts';
import { certificates } from './checks/certificates.ts';
import { files } from './checks/files.ts';
import { firewall } from './checks/firewall.ts';
import { logging } from './checks/logging.ts';
import { ports } from './checks/ports.ts';
import { services } from './checks/services.ts';
import { timeSync } from './checks/time-sync.ts';

/** In the order they are shown. */
const LIST: readonly Check[] = [firewall, services, logging, files, ports, accounts, timeSync, certificates];

/** Every check by its name: the name of its section in the baseline. */
export const CHECKS: ReadonlyMap<string, Check> = new Map(LIST.map((check) => [check.name, check]));
