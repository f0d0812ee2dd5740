/** `holdfast gate verdict`: judges the commit that is here, and signs what comes of it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { encodeEnvelope, sha256Hex, signEnvelope } from '@holdfast/crypto';
import {
  type Assessment,
  exitCodeOf,
  type GateVerdict,
  type NewRecord,
  planVerdict,
  summaryAttestation,
  verdictDigest,
} from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import { assessNow, judged } from './assess-now.ts';
import { openGate, type OpenedGate, type Identity, type SigningOptions } from './opened-gate.ts';
import { refused } from './refusal.ts';
import { reasonLines } from './status.ts';

/** in-toto Statements in DSSE (https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md). */
const STATEMENT_MEDIA_TYPE = 'application/vnd.in-toto+json';

type VerdictOptions = SigningOptions & { readonly dryRun?: boolean | undefined };

export function verdict(options: VerdictOptions, signal: AbortSignal): Promise<CommandResult> {
  return judged(() => issue(options, signal));
}

async function issue(options: VerdictOptions, signal: AbortSignal): Promise<CommandResult> {
  if (options.dryRun === true) return wouldBe(assessNow(await openGate(options, signal), Date.now()));
  const appended = await appendDecided(options, signal, (opened, { person }) => {
    if (opened.board.freeze === null) {
      const reason = 'no gate file is frozen: there is nothing to judge by';
      throw refused('no verdict is issued', [{ rule: 'R-03', reason }], '`holdfast gate freeze`');
    }
    const assessment = assessNow(opened, Date.now());
    const artifacts = artifactsOf(opened);
    const predicate = planVerdict(assessment, { author: person.id, artifacts, head: opened.log.head });
    const batch: readonly NewRecord[] = [{ kind: 'gate-verdict', predicate }];
    return { batch, predicate };
  });
  const { decided, opened, identity, records } = appended;
  const issued = decided.predicate;
  const leaf = records[0]?.leaf ?? '';
  const digest = verdictDigest(issued);
  const summary = writeSummary(opened, identity, issued, leaf);
  const text = [
    `${issued.verdict}  ${opened.gate.title}, release ${issued.release}, commit ${issued.source.commit.slice(0, 12)}`,
    ...reasonLines(issued.reasons),
    `  digest ${digest}`,
    `  verification summary ${summary}`,
    'Next: commit the records; `holdfast gate export release.gate` gives others all they need to verify it.',
  ].join('\n');
  return { data: { ...issued, leaf, digest, summary }, text, exitCode: exitCodeOf(issued.verdict) };
}

function wouldBe({ verdict: result, reasons, counts }: Assessment): CommandResult {
  const text = [`${result}  is what a verdict would be now; nothing was recorded`, ...reasonLines(reasons)].join('\n');
  return { data: { verdict: result, reasons, counts }, text, exitCode: exitCodeOf(result) };
}

/** Those that are there; a good verdict needs all of them. */
function artifactsOf({ board, tree }: OpenedGate): GateVerdict['artifacts'] {
  return (board.freeze?.gate.artifacts ?? []).flatMap((path) => {
    const bytes = readIfThere(join(tree.root, path));
    return bytes === undefined ? [] : [{ path, digest: sha256Hex(bytes), bytes: bytes.length }];
  });
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new HoldfastError('an artefact cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file: path }, cause });
  }
}

/** What other tools read, beside the records. @returns where it is, from the root of the repository */
function writeSummary(
  { tree, gate, board, log }: OpenedGate,
  { signer }: Identity,
  issued: GateVerdict,
  leaf: string,
): string {
  const frozen = board.freeze?.gate ?? gate;
  const statement = summaryAttestation(frozen, issued, {
    verifierId: `https://holdfast.dev/gate/${gate.id}/${issued.author}`,
    policyUri: `https://holdfast.dev/gate/${gate.id}/freeze/${issued.revision}`,
  });
  const directory = join(gate.records, gate.id, 'summaries');
  const path = join(directory, `${String(log.head.size).padStart(6, '0')}-${leaf.slice(0, 12)}.vsa.json`);
  mkdirSync(join(tree.root, directory), { recursive: true });
  const envelope = signEnvelope(STATEMENT_MEDIA_TYPE, Buffer.from(JSON.stringify(statement)), [signer]);
  writeFileSync(join(tree.root, path), encodeEnvelope(envelope));
  return path;
}
