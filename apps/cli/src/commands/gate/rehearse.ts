/**
 * `holdfast gate rehearse`: what the milestone comes to, for continuous integration. Runs
 * the commands like a gate does and judges them like a gate does, with keys that are thrown away and
 * records in memory only: people, packets and reviews are left out, so nothing of it is a verdict.
 */
import { generateKeyPairSync } from 'node:crypto';
import { HoldfastError } from '@holdfast/core';
import { encodeBase64, sha256Hex, type Signer, signerFromKeyObject } from '@holdfast/crypto';
import {
  assess,
  type Assessment,
  type EvidenceState,
  exitCodeOf,
  FREEZE_PACKET,
  freezeOf,
  type Gate,
  MemoryGateLog,
  openSourceTree,
  runSession,
} from '@holdfast/gate';
import { systemClock } from '@holdfast/host-linux';
import { dirname, resolve } from 'node:path';
import { type CommandResult, formatTable } from '../../output.ts';
import { type GateOptions, readGateFile, validGate } from './opened-gate.ts';
import { ProfileSandbox } from './profile-sandbox.ts';
import { refused } from './refusal.ts';
import { observe } from './session-display.ts';

interface RehearseOptions extends GateOptions {
  readonly command?: readonly string[] | undefined;
}

/** What could not be known, as against what is wrong. */
const INCONCLUSIVE: ReadonlySet<string> = new Set(['scan-inconclusive', 'database-stale', 'triaged-inconclusive']);
const NOBODY = 'rehearsal';

export async function rehearse(options: RehearseOptions, signal: AbortSignal): Promise<CommandResult> {
  const file = readGateFile(options);
  const gate = validGate(file);
  const tree = await openSourceTree(resolve(options.directory));
  const candidate = await tree.read(gate.records, signal);
  if (candidate.dirtyFiles > 0) {
    const reason = `${candidate.dirtyFiles} files differ from the commit, and evidence is about a commit`;
    throw refused('nothing was rehearsed', [{ rule: 'R-08', reason }], 'commit, then `holdfast gate rehearse`');
  }
  const wanted = options.command ?? gate.milestone;
  const stranger = wanted.find((id) => !gate.commands.some((command) => command.id === id));
  if (stranger !== undefined) throw new HoldfastError(`there is no command ${stranger}`, { code: 'ERR_CLI_USAGE' });
  const signer = throwAwaySigner();
  const log = new MemoryGateLog(gate.id);
  const frozen = await freezeRehearsal(log, signer, reduced(gate, wanted, signer), candidate);
  await using sandbox = new ProfileSandbox(tree.root, dirname(file.path));
  const deps = { log, tree, signer, clock: systemClock(), environment: process.env, sandbox };
  const request = { gate: frozen, revision: 1, author: NOBODY, role: 'milestone', packet: null } as const;
  await runSession(
    deps,
    { ...request, commands: frozen.commands, mutations: true },
    observe(options.json === true),
    signal,
  );
  const nowMs = Date.now();
  const after = await tree.read(gate.records, signal);
  return resultOf(
    assess({ records: log.records, current: null, candidate: after, nowMs }),
    wanted.length < gate.milestone.length,
  );
}

const stand = (id: string, role: string, { publicKey }: Signer) => ({
  id,
  name: id,
  contact: 'rehearsal@example.com',
  roles: [role],
  keys: [encodeBase64(publicKey)],
});
const throwAwaySigner = (): Signer => signerFromKeyObject(generateKeyPairSync('ed25519').privateKey);

/** The gate file as it is, with one packet, nobody's keys but ours, and the commands that are wanted. */
function reduced(gate: Gate, wanted: readonly string[], signer: Signer): string {
  return JSON.stringify({
    ...gate,
    commands: gate.commands.filter(({ id }) => wanted.includes(id)),
    packets: [
      {
        id: FREEZE_PACKET,
        title: 'Rehearsal',
        checklist: ['Nothing is decided here'],
        needs: [],
        commands: wanted,
        implementer: NOBODY,
        reviewer: 'rehearsal-reviewer',
      },
    ],
    milestone: wanted,
    people: [
      stand(NOBODY, 'implementer', signer),
      stand('rehearsal-reviewer', 'reviewer', throwAwaySigner()),
      stand('rehearsal-issuer', 'issuer', throwAwaySigner()),
    ],
  });
}

async function freezeRehearsal(
  log: MemoryGateLog,
  signer: Signer,
  text: string,
  source: Assessment['candidate'],
): Promise<Gate> {
  const frozen = freezeOf(text, 1);
  if (frozen === null)
    throw new HoldfastError('these commands alone are no gate: `holdfast gate lint` says what is missing', {
      code: 'ERR_GATE_FILE',
    });
  const header = { gate: frozen.gate.id, revision: 1, author: NOBODY, at: new Date().toISOString() };
  await log.append(
    [{ kind: 'freeze', predicate: { ...header, gateFile: { digest: sha256Hex(text), text }, source } }],
    signer,
  );
  return frozen.gate;
}

function resultOf({ milestone, surfaces, findings, gate }: Assessment, isPart: boolean): CommandResult {
  const blocking = findings.filter(({ status, severity }) => status === 'open' && severity !== 'P2');
  const bare = isPart ? [] : surfaces.filter(({ p0, inMilestone }) => p0 && inMilestone.length === 0);
  const invalid = milestone.filter(({ valid }) => !valid);
  const isWrong = blocking.length > 0 || bare.length > 0 || invalid.some((state) => !isUnknown(state));
  const result = isWrong ? 'NO_GO' : invalid.length > 0 || milestone.length === 0 ? 'INCONCLUSIVE' : 'GO';
  const text = [
    formatTable(
      ['', 'command', 'why not'],
      milestone.map(({ valid, command, invalid: why }) => [valid ? '✔' : '✘', command, why.join(', ')]),
    ),
    ...findings.map(
      ({ id, severity, status, title, location }) => `${severity} ${status}  ${id}  ${title} (${location})`,
    ),
    ...bare.map(({ title }) => `no command of the milestone reaches ${title}`),
    result === 'GO'
      ? `Rehearsed for ${gate?.release ?? 'this release'}: nothing here stands against a GO. A verdict also takes people.`
      : `Rehearsed: a verdict would be ${result}, whatever people say.`,
  ].join('\n');
  return { data: { result, milestone, findings, surfaces }, text, exitCode: exitCodeOf(result) };
}

const isUnknown = ({ invalid }: EvidenceState): boolean => invalid.every((why) => INCONCLUSIVE.has(why));
