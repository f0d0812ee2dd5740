/**
 * What mends which finding (C-18). The key is the kind of the finding, never the name of the check;
 * a kind that is not here has no remedy but a person.
 */
import type { Finding } from '@holdfast/evidence';

export type Remediation = NonNullable<Finding['remediation']>;

const REMEDIATIONS = {
  'firewall-inactive': () => ({ operation: 'firewall.restore', params: {} }),
  'firewall-differs': () => ({ operation: 'firewall.restore', params: {} }),
  'service-inactive': (unit) => ({ operation: 'services.restart', params: { unit } }),
  'logging-service-inactive': () => ({ operation: 'logging.restart', params: {} }),
  'canary-lost': () => ({ operation: 'logging.restart', params: {} }),
  'file-missing': (path) => ({ operation: 'files.restore', params: { path } }),
  'file-content-differs': (path) => ({ operation: 'files.restore', params: { path } }),
  'file-attributes-differ': (path) => ({ operation: 'files.restore', params: { path } }),
  'account-uid0-unexpected': (user) => ({ operation: 'accounts.lock', params: { user } }),
  'account-unexpected': (user) => ({ operation: 'accounts.lock', params: { user } }),
  'account-password-empty': (user) => ({ operation: 'accounts.lock', params: { user } }),
} as const satisfies Record<string, (subject: string) => Remediation>;

export const REMEDIABLE_KINDS: readonly string[] = Object.keys(REMEDIATIONS);

/** @returns `null` when a person is needed */
export function remediationFor(kind: string, subject: string): Remediation | null {
  return Object.hasOwn(REMEDIATIONS, kind) ? REMEDIATIONS[kind as keyof typeof REMEDIATIONS](subject) : null;
}
