/**
 * The operations that mend what the checks find (C-19), as a registry for the change engine. Make a
 * new one when the baseline changes.
 */
import { randomBytes } from 'node:crypto';
import { type AnyOperation, eraseTypes } from '@holdfast/change';
import type { Baseline } from './baseline.ts';
import { accountsLock } from './operations/accounts-lock.ts';
import type { ComplianceOperationDeps } from './operations/deps.ts';
import { filesRestore } from './operations/files-restore.ts';
import { firewallRestore } from './operations/firewall-restore.ts';
import { loggingRestart } from './operations/logging-restart.ts';
import { servicesRestart } from './operations/services-restart.ts';

/**
 * All of them, also without a baseline: then they refuse to begin (`ERR_NOT_IN_BASELINE`) but can
 * still revert what was begun before the baseline was lost.
 *
 * None is disruptive: each does nothing where all is well and only brings back what was signed. Who
 * wants one inside the maintenance window alone says `remediation: window-only` in the baseline (C-26).
 */
export function complianceOperations(
  baseline: Baseline | null,
  deps: Partial<ComplianceOperationDeps> = {},
): ReadonlyMap<string, AnyOperation> {
  const full: ComplianceOperationDeps = { blobs: async () => null, randomBytes, ...deps };
  const operations = [
    eraseTypes(firewallRestore(baseline)),
    eraseTypes(servicesRestart(baseline)),
    eraseTypes(loggingRestart(baseline, full)),
    eraseTypes(filesRestore(baseline, full)),
    eraseTypes(accountsLock(baseline)),
  ];
  return new Map(operations.map((operation) => [operation.name, operation]));
}
