/** `holdfast gate run`: runs commands of a packet or the milestone, and shows what comes of them as it comes. */
import { dirname } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import {
  type Gate,
  type GateCommand,
  type Packet,
  type RecordOf,
  runSession,
  type SessionRequest,
} from '@holdfast/gate';
import { systemClock } from '@holdfast/host-linux';
import { type CommandResult, formatTable } from '../../output.ts';
import { identify, type OpenedGate, openGate, type SigningOptions } from './opened-gate.ts';
import { ProfileSandbox } from './profile-sandbox.ts';
import { refused } from './refusal.ts';
import { endingOf, isExpected, observe, type Run, seconds } from './session-display.ts';

interface RunOptions extends SigningOptions {
  readonly milestone?: boolean | undefined;
  readonly command?: readonly string[] | undefined;
  readonly as?: string | undefined;
  readonly mutations: boolean;
}

type Role = SessionRequest['role'];
/** A command failed; which and why stands in the table. The verdict is what judges it. */
const EXIT_FAILED = 1;

export async function runCommands(
  packetId: string | undefined,
  options: RunOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  if ((packetId === undefined) === (options.milestone !== true)) throw usage('name either a packet or --milestone');
  // what Ctrl-C ended is recorded after it; the lock's own patience bounds that.
  const opened = await openGate(options, signal, new AbortController().signal);
  const { person, signer } = identify(opened, options);
  const { gate, revision } = frozen(opened);
  const packet = packetId === undefined ? null : findPacket(gate, packetId);
  const role = packet === null ? 'milestone' : roleOf(packet, person.id, options.as);
  const request: SessionRequest = {
    gate,
    revision,
    author: person.id,
    role,
    packet: packet?.id ?? null,
    commands: chosen(gate, packet?.commands ?? gate.milestone, options.command),
    mutations: options.mutations,
  };
  const { log, tree, source } = opened;
  if (source.dirtyFiles > 0)
    note(`${source.dirtyFiles} files differ from the commit: what is recorded now will not count (R-08)`);
  await using sandbox = new ProfileSandbox(tree.root, dirname(opened.file.path));
  const deps = { log, tree, signer, clock: systemClock(), environment: process.env, sandbox };
  const sessions = await runSession(deps, request, observe(options.json === true), signal);
  if (signal.aborted) note('interrupted: what had begun was ended and is recorded as such (R-09)');
  signal.throwIfAborted();
  return resultOf(gate, role, packet?.id ?? null, sessions);
}

const usage = (message: string): HoldfastError => new HoldfastError(message, { code: 'ERR_CLI_USAGE' });
const note = (text: string): void => void process.stderr.write(`holdfast: ${text}\n`);

function frozen({ board, file }: OpenedGate): { readonly gate: Gate; readonly revision: number } {
  const { freeze } = board;
  if (freeze === null) {
    const reason = 'nothing runs before the gate file is frozen: evidence from before never counts';
    throw refused('nothing was run', [{ rule: 'R-03', reason }], '`holdfast gate freeze`');
  }
  if (freeze.policyDigest !== file.parsed.digest)
    note(
      `the gate file differs from revision ${freeze.revision}, which is what runs; \`holdfast gate freeze\` takes it over`,
    );
  return freeze;
}

function findPacket(gate: Gate, id: string): Packet {
  const packet = gate.packets.find((candidate) => candidate.id === id);
  if (packet !== undefined) return packet;
  const ids = gate.packets.map((candidate) => candidate.id).join(', ');
  throw usage(`there is no packet ${id}; there are ${ids}`);
}

/** Follows from who signs; only who may be both has to say. */
function roleOf(packet: Packet, person: string, said: string | undefined): Exclude<Role, 'milestone'> {
  if (said !== undefined && said !== 'implementer' && said !== 'reviewer')
    throw usage('--as takes implementer or reviewer');
  if (said !== undefined) return said;
  if (person === packet.implementer) return 'implementer';
  if (person === packet.reviewer || person === packet.secondReviewer) return 'reviewer';
  const reason = `${person} neither implements packet ${packet.id} (${packet.implementer}) nor reviews it (${packet.reviewer})`;
  throw refused('nothing was run', [{ rule: 'R-13', reason }], 'say --as reviewer if you are a second reviewer');
}

function chosen(gate: Gate, ids: readonly string[], only: readonly string[] | undefined): readonly GateCommand[] {
  const stranger = only?.find((id) => !ids.includes(id));
  if (stranger !== undefined) throw usage(`${stranger} is no command of this; there are ${ids.join(', ')}`);
  const wanted = only ?? ids;
  if (wanted.length === 0) throw usage('it has no commands: there is nothing to run');
  return gate.commands.filter(({ id }) => wanted.includes(id));
}

function resultOf(
  gate: Gate,
  role: Role,
  packet: string | null,
  sessions: readonly RecordOf<'command-run'>[],
): CommandResult {
  const own = sessions.filter(({ predicate }) => predicate.role !== 'mutation');
  const runs = own.flatMap(({ predicate }) => predicate.runs);
  const mutations = sessions.flatMap(({ predicate }) => (predicate.role === 'mutation' ? predicate.runs : []));
  const exitOf = new Map(gate.commands.map(({ id, exit }) => [id, exit]));
  const passed = (run: Run): boolean =>
    isExpected(exitOf.get(run.command) ?? [], run) && (run.tests?.failed ?? 0) === 0;
  const rows = runs.map((run) => [
    passed(run) ? '✔' : '✘',
    run.command,
    endingOf(run),
    run.tests === null ? '' : `${run.tests.passed} passed, ${run.tests.failed} failed, ${run.tests.skipped} skipped`,
    seconds(run),
    run.id,
  ]);
  const caught = mutations.filter((run) => !passed(run)).length;
  const next = packet === null ? '`holdfast gate verdict`' : nextOf(role, packet);
  const good = runs.every(passed) && caught === mutations.length;
  const text = [
    formatTable(['', 'command', 'ended', 'tests', 'took', 'run'], rows),
    ...(mutations.length === 0
      ? []
      : [`${caught} of ${mutations.length} mutations made their tests fail, as they should`]),
    good ? `Next, ${next}.` : 'Something failed. The run stays on record; correct the cause, commit, and run it again.',
  ].join('\n');
  const data = { role, packet, sessions: sessions.map(({ predicate }) => predicate) };
  return { data, text, exitCode: good ? 0 : EXIT_FAILED };
}

const nextOf = (role: Role, packet: string): string =>
  role === 'implementer' ? `\`holdfast gate submit ${packet}\`` : `\`holdfast gate review ${packet} --template\``;
