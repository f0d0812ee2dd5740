/** `holdfast gate finding …`: what people found, and what became of it. */
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import {
  FindingRecordSchema,
  GATE_SEVERITIES,
  type GateRecord,
  type FindingView,
  nameFindings,
  type NewRecord,
  type PredicateOf,
} from '@holdfast/gate';
import { type CommandResult, formatTable } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import { assessNow } from './assess-now.ts';
import { checked } from './checked-record.ts';
import { type GateOptions, openGate, type OpenedGate, type SigningOptions } from './opened-gate.ts';
import { nextId } from './record-ids.ts';

interface AddOptions extends SigningOptions {
  readonly title: string;
  readonly surface: string;
  readonly location: string;
  readonly severity: string;
  readonly clause: string;
  readonly reason: string;
  readonly packet?: string | undefined;
  readonly defect: string;
  readonly id?: string | undefined;
}

type Finding = PredicateOf<'finding'>;

export async function add(options: AddOptions, signal: AbortSignal): Promise<CommandResult> {
  const { decided } = await appendDecided(options, signal, ({ log }, _identity, header) => {
    const { title, surface, location, severity, clause, reason, packet, defect } = options;
    const predicate = checked(FindingRecordSchema, {
      ...header,
      id: options.id ?? nextId('F', idsOf(log.records)),
      title,
      surface,
      location,
      severity,
      clause,
      reason,
      defect,
      packet: packet ?? null,
      disposition: 'open',
      fingerprint: null,
      evidence: [],
    });
    if (idsOf(log.records).includes(predicate.id))
      throw usage(`${predicate.id} is taken: \`finding update\` changes it`);
    const batch: readonly NewRecord[] = [{ kind: 'finding', predicate }];
    return { batch, predicate };
  });
  return recorded(decided.predicate);
}

interface UpdateOptions extends SigningOptions {
  readonly disposition?: string | undefined;
  readonly severity?: string | undefined;
  readonly clause?: string | undefined;
  readonly surface?: string | undefined;
  readonly run?: readonly string[] | undefined;
  readonly proof?: readonly string[] | undefined;
  readonly reason: string;
}

export async function update(id: string, options: UpdateOptions, signal: AbortSignal): Promise<CommandResult> {
  const { decided } = await appendDecided(options, signal, async (opened, _identity, header) => {
    const before = newest(opened.log.records, id) ?? (await derived(opened, id));
    const { disposition, severity, clause, surface, reason } = options;
    const predicate = checked(FindingRecordSchema, {
      ...before,
      ...header,
      disposition: disposition ?? before.disposition,
      severity: severity ?? before.severity,
      clause: clause ?? before.clause,
      surface: surface ?? before.surface,
      reason,
      evidence:
        options.run === undefined && options.proof === undefined ? before.evidence : await evidenceOf(opened, options),
    });
    const batch: readonly NewRecord[] = [{ kind: 'finding', predicate }];
    return { batch, predicate };
  });
  return recorded(decided.predicate);
}

export async function list(options: GateOptions, signal: AbortSignal): Promise<CommandResult> {
  const opened = await openGate(options, signal);
  const { findings } = assessNow(opened, Date.now());
  const sorted = findings.toSorted((one, other) => one.severity.localeCompare(other.severity));
  const rows = sorted.map(({ severity, id, status, origin, location, title }) => [
    severity,
    id,
    status,
    origin,
    location,
    title,
  ]);
  const text =
    rows.length === 0 ? 'nothing was found' : formatTable(['', 'id', 'status', 'origin', 'location', 'finding'], rows);
  return { data: sorted, text };
}

const usage = (message: string): HoldfastError => new HoldfastError(message, { code: 'ERR_CLI_USAGE' });

const idsOf = (records: readonly GateRecord[]): string[] =>
  records.flatMap((record) => (record.kind === 'finding' ? [record.predicate.id] : []));

function newest(records: readonly GateRecord[], id: string): Finding | undefined {
  const found = records.findLast((record) => record.kind === 'finding' && record.predicate.id === id);
  return found?.kind === 'finding' ? found.predicate : undefined;
}

/** What a scanner or a flake made has no record yet: this is its first, with what the evidence says. */
async function derived(opened: OpenedGate, id: string): Promise<Omit<Finding, 'gate' | 'author' | 'at' | 'revision'>> {
  const view = assessNow(opened, Date.now()).findings.find((finding) => finding.id === id);
  if (view === undefined) throw usage(`there is no finding ${id}: \`holdfast gate finding list\` names them`);
  const [firstSurface] = opened.gate.scope.surfaces;
  return {
    id,
    title: view.title,
    surface: view.surface ?? firstSurface?.id ?? '',
    packet: view.packet,
    location: view.location,
    severity: view.severity,
    clause: view.clause ?? opened.gate.rubric[view.severity][0]?.id ?? '',
    defect: 'code',
    disposition: 'open',
    fingerprint: fingerprintOf(opened.log.records, view),
    evidence: [],
    reason: view.title,
  };
}

function fingerprintOf(records: readonly GateRecord[], { id, origin }: FindingView): string | null {
  if (origin !== 'scan') return null;
  const nameOf = nameFindings(records);
  for (const record of records.toReversed()) {
    if (record.kind !== 'scan-result') continue;
    const found = record.predicate.scan.findings.find(({ fingerprint }) => id === nameOf(fingerprint));
    if (found !== undefined) return found.fingerprint;
  }
  return null;
}

async function evidenceOf({ log }: OpenedGate, { run = [], proof = [] }: UpdateOptions): Promise<Finding['evidence']> {
  const runs = run.map((id) => ({ run: resolveRun(log.records, id), digest: null, note: 'a run that shows it' }));
  const proofs = await Promise.all(
    proof.map(async (said) => {
      // a secret is closed by proof that it was revoked and that it was replaced.
      const [, what, path = said] = /^(revoked|replaced):(.+)$/.exec(said) ?? [];
      const digest = await log.putObject(readProof(path));
      return { run: null, digest, note: what === undefined ? path : `${what}: ${path}` };
    }),
  );
  return [...runs, ...proofs];
}

function readProof(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new HoldfastError('a proof cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file: path }, cause });
  }
}

/** `latest:<command>` is the newest run of that command; anything else is a run's id. */
export function resolveRun(records: readonly GateRecord[], said: string): string {
  const [, command] = /^latest:(.+)$/.exec(said) ?? [];
  if (command === undefined) return said;
  for (const record of records.toReversed()) {
    if (record.kind !== 'command-run' || record.predicate.role === 'mutation') continue;
    const run = record.predicate.runs.findLast((candidate) => candidate.command === command);
    if (run !== undefined) return run.id;
  }
  throw usage(`${command} was never run`);
}

function recorded(finding: Finding): CommandResult {
  const { id, severity, disposition, title } = finding;
  const next = disposition === 'open' && severity !== GATE_SEVERITIES[2];
  return {
    data: finding,
    text: [
      `${id} ${severity} ${disposition}: ${title}`,
      ...(next
        ? [`Next: resolve it and \`holdfast gate finding update ${id}\`, or \`holdfast gate accept ${id}\`.`]
        : []),
    ].join('\n'),
  };
}
