/**
 * In-toto Statement v1 of other tools, SLSA provenance among them: what every attestation comes
 * to once its signature held. Follows https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
 */
import { z } from 'zod';
import { parseDocument } from './strict-json.ts';

/** DSSE payload type of in-toto statements. */
export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json';
/** v0.1 is what older SLSA generators and npm's publish attestations write; the fields read here are the same. */
const STATEMENT_TYPES = ['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1'] as const;

const StatementSchema = z.object({
  _type: z.enum(STATEMENT_TYPES),
  subject: z
    .array(
      z.object({
        name: z.string().max(2_000).optional(),
        digest: z.record(z.string().max(50), z.string().max(200)).refine((digest) => Object.keys(digest).length > 0),
      }),
    )
    .min(1)
    .max(10_000),
  predicateType: z.string().min(1).max(500),
  predicate: z.record(z.string(), z.unknown()).optional(),
});
export type InTotoStatement = Readonly<z.infer<typeof StatementSchema>>;

/** @throws `ERR_REPORT_MALFORMED` */
export const parseInTotoStatement = (payload: Uint8Array): InTotoStatement =>
  parseDocument('in-toto', payload, StatementSchema);
