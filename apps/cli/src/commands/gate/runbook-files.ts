/** Which runbooks there are, what may run in them, and what is on record of their drills. */
import { existsSync, realpathSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { keyIdOf } from '@holdfast/crypto';
import { keysOf, type RecordOf } from '@holdfast/gate';
import { SpawnCommandRunner } from '@holdfast/host-linux';
import { type Candidate, openCandidate, type PassedDrill } from '@holdfast/runbook';
import { findProgram } from './find-program.ts';
import { type GateOptions, type OpenedGate, openGate } from './opened-gate.ts';
import { otherGates } from './other-gates.ts';

/** Programs that a runbook may start a file of the tree with. */
export const TOOLS = ['node', 'python3', 'sh', 'bash'] as const;

export const candidateIn = (root: string, signal: AbortSignal): Promise<Candidate> =>
  openCandidate({ commands: new SpawnCommandRunner() }, { git: findProgram('git'), root }, signal);

/** As git and the records have it, wherever it was named from. @throws `ERR_RUNBOOK` for what is outside of `root` */
export function pathInTree(root: string, directory: string, path: string): string {
  const inside = relative(root, resolve(realpathSync(directory), path))
    .split(sep)
    .join('/');
  if (inside !== '' && inside !== '..' && !inside.startsWith('../')) return inside;
  throw new HoldfastError('a runbook is a file of the repository', { code: 'ERR_RUNBOOK', fields: { path } });
}

/** `null` where there is no gate file: runbooks are also for those who have none. */
export async function gateHere(options: GateOptions, signal: AbortSignal): Promise<OpenedGate | null> {
  return existsSync(resolve(options.directory, options.file)) ? openGate(options, signal) : null;
}

/** The newest passed drill of each runbook, of this gate and of others where somebody of this one signed it. */
export async function drillsOnRecord(
  opened: OpenedGate,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, PassedDrill>> {
  const known = new Set(keysOf(opened.board.freeze?.gate ?? opened.gate).map(({ publicKey }) => keyIdOf(publicKey)));
  const others = (await otherGates(opened, signal)).flat().filter(({ keyId }) => known.has(keyId));
  const drills = [...others, ...opened.log.records]
    .flatMap((record) => (record.kind === 'runbook-drill' ? [record] : []))
    .toSorted((one, other) => atMs(one) - atMs(other));
  const passed = new Map<string, PassedDrill>();
  for (const drill of drills) {
    const { runbook, digest } = drill.predicate;
    const before = passed.get(runbook);
    if (isPassed(drill)) passed.set(runbook, { digest, atMs: atMs(drill), failedSince: false });
    else if (before !== undefined) passed.set(runbook, { ...before, failedSince: true });
  }
  return passed;
}

type Drill = RecordOf<'runbook-drill'>;
const atMs = ({ predicate }: Drill): number => Date.parse(predicate.at);

/** nobody says that a drill passed; its steps do, on a commit, in a real instance, with a way back among them. */
function isPassed({ predicate: { steps, source, simulated } }: Drill): boolean {
  const phases = new Set(steps.map(({ phase }) => phase));
  const isComplete = phases.has('kill-switch') && phases.has('rollback');
  return isComplete && !simulated && source.dirtyFiles === 0 && steps.every(({ passed }) => passed);
}
