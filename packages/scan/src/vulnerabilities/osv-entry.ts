/**
 * One advisory in the OSV format (ossf.github.io/osv-schema, 1.7), as far as matching needs it. The
 * specification adds fields over time, so unknown ones pass; known ones must be what it says.
 */
import { z } from 'zod';

const Version = z.string().min(1).max(1_000);
const EventSchema = z
  .object({ introduced: Version, fixed: Version, last_affected: Version, limit: Version })
  .partial()
  .refine((event) => Object.values(event).filter((value) => value !== undefined).length === 1, 'is one of four');

const RangeSchema = z.object({
  type: z.enum(['SEMVER', 'ECOSYSTEM', 'GIT']),
  events: z.array(EventSchema).min(1).max(100_000),
});
export type OsvRange = z.infer<typeof RangeSchema>;

const SeveritySchema = z.object({ type: z.string().max(50), score: z.string().max(500) });

const AffectedSchema = z.object({
  /** Absent where only a repository is named; such an entry is about no package. */
  package: z.object({ ecosystem: z.string().min(1).max(200), name: z.string().min(1).max(1_000) }).optional(),
  ranges: z.array(RangeSchema).max(10_000).nullish(),
  versions: z.array(Version).max(1_000_000).nullish(),
  severity: z.array(SeveritySchema).max(100).nullish(),
});
export type OsvAffected = z.infer<typeof AffectedSchema>;

/** Ids of a dozen databases, each with its own prefix. */
const Id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,198}$/);

export const OsvEntrySchema = z.object({
  id: Id,
  modified: z.iso.datetime({ offset: true }),
  withdrawn: z.iso.datetime({ offset: true }).nullish(),
  aliases: z.array(Id).max(1_000).nullish(),
  summary: z.string().max(10_000).nullish(),
  severity: z.array(SeveritySchema).max(100).nullish(),
  affected: z.array(AffectedSchema).max(100_000).nullish(),
  /** GitHub's own word for the severity, where it gives no CVSS vector that is understood here. */
  database_specific: z.object({ severity: z.unknown() }).partial().nullish(),
});
export type OsvEntry = z.infer<typeof OsvEntrySchema>;
