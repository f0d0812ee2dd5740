/** What the routes of one server share: made once at start, parsed data and narrow capabilities only. */
import type { PinnedKey } from '@holdfast/api';
import type { Clock } from '@holdfast/core';
import type { Store } from '@holdfast/store';
import type { RateLimit } from './http/rate-limit.ts';
import type { EventHub } from './live/event-hub.ts';
import type { CertificateAuthority } from './pki/certificate-authority.ts';
import type { ServerKeys } from './server-keys.ts';

export interface ServerContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly keys: ServerKeys;
  readonly pinnedKeys: readonly PinnedKey[];
  readonly authority: CertificateAuthority;
  readonly hub: EventHub;
  /** The org that people sign in to; there is one for now. */
  readonly orgId: string;
  readonly orgName: string;
  /** Address of the agent listener as hosts reach it; known once it listens. */
  readonly agentUrl: () => string;
  readonly logOrigin: (orgId: string) => string;
  readonly checkinIntervalMs: number;
  /** Called when an org's log grew, so that a checkpoint follows soon. */
  readonly logGrew: (orgId: string) => void;
  readonly failedLogins: RateLimit;
  readonly secureCookies: boolean;
}

export const nowOf = (context: Pick<ServerContext, 'clock'>): Date => new Date(context.clock.wallMs());
