/**
 * Findings that nobody types: what the scanners of required commands found, commands that
 * failed and then passed on the same source, and scans that covered less than the one before. What
 * people say about them is `findings.ts`.
 */
import type { Scanner, ScanFinding, ScanSummary } from '@holdfast/scan';
import { hasFailed, hasScan } from '../evidence/run-faults.ts';
import type { Attempt, RunIndex } from '../evidence/run-index.ts';
import { GATE_SEVERITIES, type GateSeverity } from '../gate-file/gate-schema.ts';
import type { EvidenceState, FindingView } from './assessment.ts';

export interface DerivedFinding {
  readonly id: string;
  readonly title: string;
  readonly severity: GateSeverity;
  readonly packet: string | null;
  readonly location: string;
  readonly origin: Exclude<FindingView['origin'], 'person'>;
  readonly scanner: Scanner | null;
  /** The command that shows it. */
  readonly command: string;
  /** Place in the log where it was seen first: acceptances come after. */
  readonly foundIndex: number;
  /** Where it was last seen to happen: what closes it comes after. */
  readonly openedIndex: number;
  /** Whoever ran what showed it; they do not lower its severity alone. */
  readonly foundBy: ReadonlySet<string>;
}

/** @param required every required piece of evidence, judged */
export function deriveFindings(index: RunIndex, required: readonly EvidenceState[]): readonly DerivedFinding[] {
  const commands = [...new Set(required.map(({ command }) => command))];
  return [
    ...scanFindings(index, commands, required),
    ...commands.flatMap((command) => flakeOf(index, command)),
    ...commands.flatMap((command) => coverageDropOf(index, command)),
  ];
}

function scanFindings(
  index: RunIndex,
  commands: readonly string[],
  required: readonly EvidenceState[],
): readonly DerivedFinding[] {
  const found = new Map<string, DerivedFinding>();
  for (const command of commands) {
    const definition = index.commands.get(command);
    if (definition === undefined || !hasScan(definition)) continue;
    const scans = scansOf(index, command);
    const current = new Set(currentScans(index, command, required));
    const suppressed = new Set(scans.flatMap((scan) => (current.has(scan.attempt) ? suppressedIn(scan) : [])));
    for (const { attempt, scan } of scans) {
      // A secret that was ever found in committed sources stays found: it is in the history.
      const counts = current.has(attempt) || (scan.scanner === 'secrets' && attempt.source.dirtyFiles === 0);
      for (const finding of scan.findings) {
        const isOff = finding.suppressed !== null || (!current.has(attempt) && suppressed.has(finding.fingerprint));
        if (!counts || isOff) continue;
        const { fingerprint } = finding;
        const id = index.nameOf(fingerprint);
        const next = { id, ...ofScan(finding, scan, attempt, firstSeen(fingerprint, scans)) };
        found.set(fingerprint, merge(found.get(fingerprint), next));
      }
    }
  }
  return [...found.values()];
}

/**
 * The judged scans whose findings stand: that of the milestone, and those of packets unless a valid one
 * of the milestone came later. Also invalid ones: what they did find is there.
 */
function currentScans(index: RunIndex, command: string, required: readonly EvidenceState[]): readonly Attempt[] {
  const judged = required.flatMap((state) => {
    const attempt = state.command === command && state.run !== null ? index.byRun(state.run) : undefined;
    return attempt === undefined ? [] : [{ state, attempt }];
  });
  const milestone = judged.find(({ state }) => state.role === 'milestone' && state.valid)?.attempt;
  return judged
    .filter(({ attempt }) => milestone === undefined || attempt.index >= milestone.index)
    .map(({ attempt }) => attempt);
}

interface SeenScan {
  readonly attempt: Attempt;
  readonly scan: ScanSummary;
}

function scansOf(index: RunIndex, command: string): readonly SeenScan[] {
  return index.attemptsOf(command).flatMap((attempt) => {
    const scan = index.scan(attempt);
    return scan === null ? [] : [{ attempt, scan }];
  });
}

const suppressedIn = ({ scan }: SeenScan): readonly string[] =>
  scan.findings.filter((finding) => finding.suppressed !== null).map(({ fingerprint }) => fingerprint);

function firstSeen(fingerprint: string, scans: readonly SeenScan[]): number {
  const first = scans.find(({ scan }) => scan.findings.some((each) => each.fingerprint === fingerprint));
  return first?.attempt.index ?? 0;
}

function ofScan(
  { rule, location, line, severity }: ScanFinding,
  { scanner }: ScanSummary,
  { author, packet, command }: Attempt,
  foundIndex: number,
): Omit<DerivedFinding, 'id'> {
  return {
    title: rule,
    severity,
    packet,
    location: line === null ? location : `${location}:${line}`,
    origin: 'scan',
    scanner,
    command,
    foundIndex,
    openedIndex: foundIndex,
    foundBy: new Set([author]),
  };
}

/** Two scans that see the same thing: one finding, of the worse severity. */
function merge(before: DerivedFinding | undefined, next: DerivedFinding): DerivedFinding {
  if (before === undefined) return next;
  const severity = GATE_SEVERITIES.find((each) => each === before.severity || each === next.severity);
  const packet = before.packet ?? next.packet;
  const foundBy = before.foundBy.union(next.foundBy);
  return { ...next, severity: severity ?? next.severity, packet, foundBy };
}

/** a failed attempt, then a pass, of the same command on the same sources by the same role. */
function flakeOf(index: RunIndex, id: string): readonly DerivedFinding[] {
  const { freeze } = index.board;
  if (freeze === null) return [];
  const failed = new Map<string, Attempt>();
  const flakes: { readonly failed: Attempt; readonly passed: Attempt }[] = [];
  for (const attempt of index.attemptsOf(id)) {
    const isFailed = hasFailed(attempt);
    if (!isFailed && failed.size === 0) continue;
    const { source, run } = attempt;
    // Sources that were being edited differ from one run to the next; so does what another definition expects.
    if (source.dirtyFiles > 0 || (run !== null && run.after.tree !== source.tree)) continue;
    if (run !== null && run.commandDigest !== freeze.commandDigests.get(id)) continue;
    const place = `${attempt.role} ${attempt.packet ?? ''} ${source.tree}`;
    const before = failed.get(place);
    if (isFailed) failed.set(place, before ?? attempt);
    else if (before !== undefined) {
      flakes.push({ failed: before, passed: attempt });
      failed.delete(place);
    }
  }
  const last = flakes.at(-1);
  if (last === undefined) return [];
  return [
    {
      id: `FLAKE-${id}`,
      title: `${id} failed and passed on the same sources, ${flakes.length} times`,
      severity: freeze.gate.policies.flakeSeverity,
      packet: last.passed.packet,
      location: `command ${id}`,
      origin: 'flake',
      scanner: null,
      command: id,
      foundIndex: flakes[0]?.passed.index ?? last.passed.index,
      openedIndex: last.passed.index,
      foundBy: new Set(flakes.map(({ passed }) => passed.author)),
    },
  ];
}

/** a scan that covers less than `minScanCoverage` of the last that did not drop. It closes when one covers as much again. */
function coverageDropOf(index: RunIndex, id: string): readonly DerivedFinding[] {
  const share = index.board.freeze?.gate.policies.minScanCoverage ?? 1;
  let baseline: SeenScan | undefined;
  let drop: { readonly first: SeenScan; readonly last: SeenScan; readonly text: string } | undefined;
  for (const seen of scansOf(index, id)) {
    if (seen.scan.state !== 'complete') continue;
    const text = baseline === undefined ? null : dropBetween(baseline.scan, seen.scan, share);
    if (text === null) [baseline, drop] = [seen, undefined];
    else drop = { first: drop?.first ?? seen, last: seen, text };
  }
  if (drop === undefined) return [];
  return [
    {
      id: `COVERAGE-${id}`,
      title: `the scan covered less than before: ${drop.text}`,
      severity: 'P1',
      packet: drop.last.attempt.packet,
      location: `command ${id}`,
      origin: 'scan-coverage',
      scanner: null,
      command: id,
      foundIndex: drop.first.attempt.index,
      // Explained once is explained: later scans of the same extent do not ask again.
      openedIndex: drop.first.attempt.index,
      foundBy: new Set([drop.last.attempt.author]),
    },
  ];
}

function dropBetween(before: ScanSummary, after: ScanSummary, share: number): string | null {
  for (const part of ['bytes', 'files', 'commits'] as const) {
    const [was, is] = [before.coverage[part] ?? 0, after.coverage[part] ?? 0];
    if (is < was * share) return `${is} ${part} after ${was}`;
  }
  return null;
}
