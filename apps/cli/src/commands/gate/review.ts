/** `holdfast gate review`: what a reviewer looked at, and what they decide. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import {
  deriveBoard,
  type GateRecord,
  type NewRecord,
  openSourceTree,
  type Packet,
  type PacketStanding,
  parseReviewFile,
  refuseReview,
  reviewTemplate,
} from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import { openGate, type OpenedGate, readGateFile, type SigningOptions, validGate } from './opened-gate.ts';
import { refused } from './refusal.ts';

interface ReviewOptions extends SigningOptions {
  readonly template?: boolean | undefined;
  readonly review?: string | undefined;
  readonly approve?: boolean | undefined;
  readonly requestChanges?: boolean | undefined;
  readonly block?: boolean | undefined;
}

export async function review(id: string, options: ReviewOptions, signal: AbortSignal): Promise<CommandResult> {
  const path = await reviewPath(id, options);
  if (options.template === true) return writeTemplate(id, path, options, signal);
  const decision = decisionOf(options);
  const said = parseReviewFile(readReview(path, id));
  const { opened } = await appendDecided(options, signal, async (now, { person }, header) => {
    const { packet, standing } = submitted(now, id);
    const { changed, authors } = await changesOf(now, standing, signal);
    const { log, source } = now;
    const session = ownSession(log.records, person.id, packet, standing);
    const sessions = new Set(session === null ? [] : [session]);
    const predicate = {
      ...header,
      packet: id,
      decision,
      source,
      ...said,
      authors: [...authors],
      session,
      checkpoint: { ...log.head, commit: source.commit },
    };
    const needsSecond = now.board.withP0.has(id);
    const refusals = refuseReview(now.board, predicate, { head: log.head, needsSecond, sessions, changed });
    if (refusals.length > 0)
      throw refused(`the review of packet ${id} is refused`, refusals, `correct ${shown(path)} or what it speaks of`);
    const batch: readonly NewRecord[] = [{ kind: 'packet-review', predicate }];
    return { batch };
  });
  const after = deriveBoard(opened.log.records).packets.get(id);
  const waiting = after?.review === 'APPROVED' || after?.note === null ? '' : `\n  ${after?.note}`;
  return {
    data: { packet: id, decision, state: after?.state, review: after?.review, checkpoint: opened.log.head },
    text: `packet ${id}: ${decision}, now ${after?.state} and ${after?.review}${waiting}\nNext: \`holdfast gate status\`.`,
  };
}

/** Beside the records by default: there it makes no tree dirty. */
async function reviewPath(id: string, options: ReviewOptions): Promise<string> {
  if (options.review !== undefined) return resolve(options.directory, options.review);
  const { records } = validGate(readGateFile(options));
  const { root } = await openSourceTree(resolve(options.directory));
  return join(root, records, `review-${id}.yaml`);
}

const usage = (message: string): HoldfastError => new HoldfastError(message, { code: 'ERR_CLI_USAGE' });

function decisionOf({ approve, requestChanges, block }: ReviewOptions): 'approve' | 'request-changes' | 'block-review' {
  if (approve === true) return 'approve';
  if (requestChanges === true) return 'request-changes';
  if (block === true) return 'block-review';
  throw usage('say what you decide: --approve, --request-changes or --block; or --template for a file to fill in');
}

function readReview(path: string, packet: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError(`there is no review file: \`holdfast gate review ${packet} --template\` writes one`, {
      code: 'ERR_INPUT_INVALID',
      fields: { file: path },
      cause,
    });
  }
}

/** What the file is about; whether the review is legal is `refuseReview`. */
function submitted({ board }: OpenedGate, id: string): { packet: Packet; standing: PacketStanding } {
  const packet = board.freeze?.gate.packets.find((candidate) => candidate.id === id);
  const standing = board.packets.get(id);
  if (packet !== undefined && standing !== undefined) return { packet, standing };
  const reason = board.freeze === null ? 'the gate file is not frozen' : `there is no packet ${id}`;
  throw refused('there is nothing to review', [{ rule: 'R-02', reason }], '`holdfast gate status`');
}

/** From where the packet's work began to what was submitted: who wrote it, and what it changed. */
async function changesOf({ tree, gate }: OpenedGate, standing: PacketStanding, signal: AbortSignal) {
  const { startedSource, submittedSource } = standing;
  if (submittedSource === null) {
    const reason = `packet ${standing.id} is ${standing.state}: nothing was submitted`;
    throw refused('there is nothing to review', [{ rule: 'R-04', reason }], 'its implementer submits it first');
  }
  const base = gate.base === null ? null : await tree.resolve(gate.base, signal);
  const from = startedSource?.commit ?? base;
  const [changed, authors] = await Promise.all([
    tree.changedFiles(from, submittedSource.commit, gate.records, signal),
    tree.authors(from, submittedSource.commit, gate.records, signal),
  ]);
  return { changed, authors };
}

/** The reviewer's newest session of this packet since it was submitted. */
function ownSession(
  records: readonly GateRecord[],
  person: string,
  packet: Packet,
  { submittedIndex }: PacketStanding,
): string | null {
  const own = records.findLast(
    (record) =>
      record.kind === 'command-run' &&
      record.index > (submittedIndex ?? 0) &&
      record.predicate.author === person &&
      record.predicate.packet === packet.id &&
      record.predicate.role === 'reviewer',
  );
  return own?.kind === 'command-run' ? own.predicate.session : null;
}

async function writeTemplate(
  id: string,
  path: string,
  options: ReviewOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const opened = await openGate(options, signal);
  const { packet, standing } = submitted(opened, id);
  const { changed } = await changesOf(opened, standing, signal);
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, reviewTemplate(packet, changed), { flag: isOnRecord(opened, standing) ? 'w' : 'wx' });
  } catch (cause) {
    throw new HoldfastError(
      'a review that is not on record is never overwritten: move the file, or name another with --review',
      {
        code: 'ERR_INPUT_INVALID',
        fields: { file: path },
        cause,
      },
    );
  }
  return {
    data: { written: path, changed },
    text: `${shown(path)} lists ${changed.length} changed files. Fill it in, then \`holdfast gate review ${id} --approve\`.`,
  };
}

/** Whether the review file of this packet, if there is one, is of an earlier submission: then the log has it. */
const isOnRecord = ({ log }: OpenedGate, { id, submittedIndex }: PacketStanding): boolean =>
  log.records.some(
    ({ kind, predicate, index }) =>
      kind === 'packet-review' && predicate.packet === id && index < (submittedIndex ?? 0),
  );

const shown = (path: string): string => relative(process.cwd(), path);
