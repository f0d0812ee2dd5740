/** Error codes of evidence. */
import type { ErrorTable } from './table.ts';

export const EVIDENCE_ERRORS = {
  ERR_EVIDENCE_MALFORMED: {
    remedy: 'give-up',
    title: 'The evidence is not a statement of ours',
    text: 'The payload is not a canonical in-toto statement with a predicate Holdfast knows, or its subject does not match the state it describes. Whoever holds the key signed something else; treat it as no evidence.',
  },
  ERR_EVIDENCE_CONFLICT: {
    remedy: 'give-up',
    title: 'Another bundle has this id',
    text: 'The evidence store already holds different bytes under the same bundle id. Nothing was overwritten; find out which of the two the audit log names.',
  },
  ERR_EVIDENCE_NOT_FOUND: {
    remedy: 'fix-input',
    title: 'There is no such bundle',
    text: 'Neither the dated directories nor the pending ones of the evidence store hold a bundle with this id.',
  },
  ERR_EVIDENCE_UNTRUSTED_KEY: {
    remedy: 'give-up',
    title: 'The key was not good for this evidence',
    text: 'The signature verifies, but the key is pinned for another host, or was not valid yet or no more at the time the evidence speaks of.',
  },
  ERR_EVIDENCE_KIT_INVALID: {
    remedy: 'give-up',
    title: 'The auditor kit is not complete',
    text: 'A kit holds bundles, keys.json, a checkpoint and one inclusion proof for every bundle, and nothing else. Something is missing, left over, unreadable, or does not match the signed checkpoint.',
  },
} as const satisfies ErrorTable;
