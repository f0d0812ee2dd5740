/**
 * The one job of a client that may run no other (ADR 8): it says what it wants like any client, and is
 * refused unless that is exactly what the spawner itself would run for it. What then runs is the
 * spawner's own job; nothing of the request is used.
 */
import { HoldfastError, canonicalJson } from '@holdfast/core';
import { SandboxProfileSchema } from '@holdfast/policy';
import type { SandboxJob } from '../sandbox.ts';

/** As it came; a profile that does not parse is none that could be meant. */
interface Asked {
  readonly profile: unknown;
  readonly argv: SandboxJob['argv'];
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** @throws `ERR_SANDBOX_ACCESS`, naming what differs */
export function requireOnlyJob(onlyJob: SandboxJob, { profile, argv, cwd, env }: Asked): void {
  requireOnlyProfile(onlyJob, profile);
  if (canonicalJson(argv) !== canonicalJson(onlyJob.argv)) throw refused('argv');
  if ((cwd ?? '/') !== (onlyJob.cwd ?? '/')) throw refused('cwd');
  if (canonicalJson(env ?? {}) !== canonicalJson(onlyJob.env ?? {})) throw refused('env');
}

/** @throws `ERR_SANDBOX_ACCESS` */
export function requireOnlyProfile(onlyJob: SandboxJob, profile: unknown): void {
  const parsed = SandboxProfileSchema.safeParse(profile);
  if (!parsed.success || canonicalJson(parsed.data) !== canonicalJson(onlyJob.profile)) throw refused('profile');
}

function refused(place: string): HoldfastError {
  return new HoldfastError('this client may run one job, and asked for another', {
    code: 'ERR_SANDBOX_ACCESS',
    fields: { place },
  });
}
