/**
 * One session of the runner: announced before anything starts, recorded when it is over.
 * A runner that was killed leaves the announcement, and with it an interrupted attempt.
 */
import { randomBytes } from 'node:crypto';
import { arch, hostname, release, type as systemName } from 'node:os';
import { formatUuidV7, hasCode } from '@holdfast/core';
import type { GateCommand, GapTest } from '../gate-file/gate-schema.ts';
import { mutationDigest } from '../gate-file/mutation-digest.ts';
import type { NewRecord } from '../log/gate-log.ts';
import type { GateRecord, RecordOf } from '../records/statements.ts';
import { openSourceTree } from '../source/open-source-tree.ts';
import { borrowDependencies } from './borrow-dependencies.ts';
import { commandEnvironment } from './command-environment.ts';
import { applyMutation } from './mutation.ts';
import { recordCommand, type RecordedRun, type RunPlace } from './record-command.ts';
import type { RunnerDeps, RunSession, SessionObserver, SessionRequest, SourceTree } from './runner.ts';
import { SessionPack } from './session-pack.ts';
import { readToolchain } from './toolchain.ts';
import { Watchdog } from './watchdog.ts';

export const runSession: RunSession = async (deps, request, observer, signal) => {
  const runs = [await session(deps, request, request.role, request.commands, observer, signal)];
  const withGaps = request.commands.filter(({ gapTests }) => gapTests.length > 0);
  if (request.mutations && withGaps.length > 0 && !signal.aborted) {
    runs.push(await session(deps, request, 'mutation', withGaps, observer, signal));
  }
  return runs;
};

async function session(
  deps: RunnerDeps,
  request: SessionRequest,
  role: RecordOf<'attempt'>['predicate']['role'],
  commands: readonly GateCommand[],
  observer: SessionObserver,
  signal: AbortSignal,
): Promise<RecordOf<'command-run'>> {
  const { tree, clock } = deps;
  const { gate, revision, author, packet } = request;
  const source = await tree.read(gate.records, signal);
  const id = formatUuidV7(clock.wallMs(), randomBytes(10));
  const header = () => ({ gate: gate.id, revision, author, at: new Date(clock.wallMs()).toISOString() });
  const ids = commands.map((command) => command.id);
  const attempt = { ...header(), session: id, role, packet, commands: ids, source };
  await append(deps, () => [{ kind: 'attempt', predicate: attempt }]);

  const environment = commandEnvironment(gate.environment, deps.environment);
  const pack = new SessionPack();
  const where = { run: id, root: tree.root, environment: environment.variables };
  const toolchain = await readToolchain(clock, where, gate.toolchain, signal);
  using watchdog = new Watchdog();
  const place: RunPlace = { tree, exclude: gate.records, environment, pack, watchdog, clock, sandbox: deps.sandbox };
  const runs: RecordedRun[] = [];
  let before = source;
  for (const command of commands) {
    if (signal.aborted) break; // what did not run has no record: it is missing, and the session is over
    if (role !== 'mutation') {
      const recorded = await recordCommand(place, command, before, null, observer, signal);
      before = recorded.run.after;
      runs.push(recorded);
      continue;
    }
    for (const gap of command.gapTests) {
      runs.push(await recordMutation(place, tree, source.commit, command, gap, observer, signal));
    }
  }

  const { bytes, digest } = pack.seal();
  await deps.log.putObject(bytes);
  const records = await append(deps, () => [
    {
      kind: 'command-run',
      predicate: {
        ...header(),
        session: id,
        role,
        packet,
        host: { name: hostname(), system: systemName(), release: release(), architecture: arch() },
        toolchain: [...toolchain],
        environmentDigest: environment.digest,
        cachesOff: true, // `commandEnvironment` puts them last, whatever the gate file sets
        pack: { digest, bytes: bytes.length },
        runs: runs.map(({ run }) => run),
      },
    },
    ...runs.flatMap(({ run, tests, scan }): NewRecord[] => {
      const about = { ...header(), session: id, run: run.id };
      if (tests !== null) return [{ kind: 'test-result', predicate: { ...about, tests: [...tests] } }];
      return scan === null ? [] : [{ kind: 'scan-result', predicate: { ...about, scan } }];
    }),
  ]);
  const [first] = records;
  if (first?.kind !== 'command-run') throw new TypeError('the log returned other records than it was given');
  return first;
}

/** the command in a copy without the protection. What cannot be applied is recorded as not started. */
async function recordMutation(
  place: RunPlace,
  tree: SourceTree,
  commit: string,
  command: GateCommand,
  gap: GapTest,
  observer: SessionObserver,
  signal: AbortSignal,
): Promise<RecordedRun> {
  await using copy = await tree.checkout(commit, signal);
  const copied = await openSourceTree(copy.path);
  await borrowDependencies(tree.root, copied.root, signal);
  const isApplied = await applyMutation(copied.root, gap.mutation, signal);
  const mutation = { test: gap.test, digest: mutationDigest(gap), isApplied };
  const before = await copied.read(place.exclude, signal);
  return await recordCommand({ ...place, tree: copied }, command, before, mutation, observer, signal);
}

/** How often to try again when others append at the same time. */
const MAX_APPENDS = 10;

/** What was measured stays true whatever others recorded meanwhile, so a log that grew is no reason to lose it. */
async function append(deps: RunnerDeps, batch: () => readonly NewRecord[]): Promise<readonly GateRecord[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await deps.log.append(batch(), deps.signer);
    } catch (error) {
      if (attempt >= MAX_APPENDS || !hasCode(error, 'ERR_GATE_LOG_MOVED')) throw error;
    }
  }
}
