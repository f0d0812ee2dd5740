/**
 * `.holdfast-vulnerabilities.yaml`: what people found out about advisories. The statuses and
 * justifications are those of OpenVEX 0.2.0; only `not_affected` and `fixed` take a finding away.
 */
import { z } from 'zod';
import { Decision, parseDecisions, Purl } from '../packages/declared-exceptions.ts';
import { readText, type SourceFiles } from '../packages/source-files.ts';

export const TRIAGE_FILE = '.holdfast-vulnerabilities.yaml';

export const VEX_STATUSES = ['not_affected', 'affected', 'fixed', 'under_investigation'] as const;
export type VexStatus = (typeof VEX_STATUSES)[number];
export const VEX_JUSTIFICATIONS = [
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
] as const;

const TriageEntrySchema = z
  .strictObject({
    /** Any of the ids of the vulnerability. */
    id: z.string().min(1).max(200),
    package: Purl,
    status: z.enum(VEX_STATUSES),
    justification: z.enum(VEX_JUSTIFICATIONS).nullable().default(null),
    ...Decision,
  })
  .refine((entry) => (entry.status === 'not_affected') === (entry.justification !== null), {
    path: ['justification'],
    message: 'not_affected needs one, and nothing else has one',
  });
export type TriageEntry = z.infer<typeof TriageEntrySchema>;

const TriageSchema = z.strictObject({
  version: z.literal(1),
  /** Ids that are known to be exploited, such as those of CISA's catalogue that matter here. */
  exploited: z.array(z.string().min(1).max(200)).max(10_000).default([]),
  entries: z.array(TriageEntrySchema).max(10_000).default([]),
});
export type Triage = z.infer<typeof TriageSchema>;

const NO_TRIAGE: Triage = { version: 1, exploited: [], entries: [] };

/** An absent file decides nothing. @throws `ERR_SCAN_INPUT` if it does not parse */
export async function readTriage(files: SourceFiles): Promise<Triage> {
  const text = await readText(files, TRIAGE_FILE);
  return text === null ? NO_TRIAGE : parseDecisions(TriageSchema, text, TRIAGE_FILE);
}
