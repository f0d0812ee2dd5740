/**
 * What was observed as a profile that allows it and nothing more, with a reason for every
 * entry, and with everything that it does not allow. Pure. A proposal is to be read by a person before
 * it becomes policy; nothing in it is applied by itself.
 */
import { type SandboxEndpoint, type SandboxProfile, SandboxProfileSchema } from '@holdfast/policy';
import { isNeverWritable } from './forbidden-paths.ts';
import { type FileFacts, planFiles, type Reasons } from './file-needs.ts';
import type { Observations } from './observations.ts';
import { planSyscalls } from './syscall-needs.ts';

/** What a trace does not tell. */
export interface LearnFacts extends FileFacts {
  /** Of the lab host's /etc/hosts, in its order. */
  readonly hosts: readonly { readonly address: string; readonly names: readonly string[] }[];
  /** Measured when the command ran confined; `null` where that could not be measured. */
  readonly cpuMs: number | null;
  readonly peakMemoryBytes: number | null;
  /** The larger of both streams. */
  readonly outputBytes: number | null;
}

/** Why there is what is there: by place in the profile, then by value. */
export type ProposalReasons = Readonly<Record<string, Reasons>>;

export interface Proposal {
  readonly profile: SandboxProfile;
  readonly reasons: ProposalReasons;
  /** What this command needs and no profile gives. */
  readonly unmet: readonly string[];
  /** Files left out since they look like secrets. */
  readonly secrets: readonly string[];
  /** What else it did that the profile does not allow, or that could not be known. */
  readonly notes: readonly string[];
}

const MIB = 1_048_576;
/** How much more than was measured is allowed; and the least. Two for what is steady, four for what follows its input. */
const MARGINS = {
  cpuSeconds: { times: 4, least: 5 },
  memoryBytes: { times: 2, least: 32 * MIB },
  processes: { times: 2, least: 8 },
  openFiles: { times: 2, least: 64 },
  fileBytes: { times: 4, least: MIB },
  outputBytes: { times: 4, least: 64 * 1_024 },
  tmpBytes: { times: 4, least: MIB },
} as const;
/** More than these have no place in a profile; see `SandboxProfileSchema`. */
const MAX_ENTRIES = { readOnly: 200, writable: 50, hidden: 200, executable: 200, allow: 100, endpoints: 32 } as const;

export function proposeProfile(name: string, observed: Observations, facts: LearnFacts): Proposal {
  const files = planFiles(observed.files, facts);
  const network = planNetwork(observed, facts);
  const calls = planSyscalls(observed.calls, network.endpoints.length > 0);
  const limits = planLimits(observed, facts);
  const unmet = new Set([...files.unmet, ...calls.unmet, ...observed.otherSockets]);
  const take = (place: keyof typeof MAX_ENTRIES, entries: readonly string[]): string[] => {
    const most = MAX_ENTRIES[place];
    if (entries.length > most) unmet.add(`${entries.length} entries in ${place}: a profile has at most ${most}`);
    return entries.slice(0, most);
  };
  const defaults = SandboxProfileSchema.parse({ name });
  const readOnly = take('readOnly', [...files.readOnly.keys()]);
  const endpoints = network.endpoints.slice(0, MAX_ENTRIES.endpoints);
  const profile = SandboxProfileSchema.parse({
    name,
    files: {
      readOnly,
      writable: take('writable', [...files.writable.keys()]),
      hidden: take('hidden', [...files.hidden.keys()]),
      executable: take('executable', [...files.executable.keys()]).filter(
        (path) => readOnly.includes(path) || path.startsWith('/usr/'),
      ),
      tmpBytes: files.usesTmp ? withMargin('tmpBytes', observed.tmpBytes) : 0,
    },
    network: endpoints.length === 0 ? 'none' : { endpoints },
    syscalls: { purposes: [...calls.purposes.keys()], allow: take('allow', calls.allow) },
    limits: {
      cpuSeconds: limits.cpuSeconds ?? defaults.limits.cpuSeconds,
      memoryBytes: limits.memoryBytes ?? defaults.limits.memoryBytes,
      processes: withMargin('processes', observed.tasks),
      openFiles: withMargin('openFiles', observed.descriptors),
      fileBytes: withMargin('fileBytes', observed.largestFileBytes),
      outputBytes: limits.outputBytes ?? defaults.limits.outputBytes,
    },
  });
  const { readOnly: readReasons, writable, hidden, executable, usesTmp } = files;
  return {
    profile,
    reasons: {
      'files.readOnly': readReasons,
      'files.writable': writable,
      'files.hidden': hidden,
      'files.executable': executable,
      'files.tmpBytes': new Map([
        ['', usesTmp ? describeMargin('tmpBytes', observed.tmpBytes, 'bytes written there') : 'not used'],
      ]),
      'network.endpoints': network.reasons,
      'syscalls.purposes': new Map([...calls.purposes].map(([purpose, names]) => [purpose, listSome(names)])),
      limits: limits.reasons,
    },
    unmet: [...unmet],
    secrets: files.secrets,
    notes: [
      ...files.notes,
      ...network.notes,
      ...calls.refused.map(
        (call) => `the system call ${call}: refused as if the kernel had none, and programs take another`,
      ),
      ...(observed.damagedLines === 0
        ? []
        : [`${observed.damagedLines} lines of the trace were not understood: something may be missing`]),
      ...observed.endings.flatMap((ending) =>
        'unknown' in ending ? [`a run did not end by itself (${ending.unknown}): what it does later is not seen`] : [],
      ),
      'the variables that it reads cannot be seen: env is the default',
    ],
  };
}

/** The same proposal with the working directory at its place on the host where it is to be used. */
export function moveProposal(proposal: Proposal, from: string, to: string): Proposal {
  const move = (path: string): string =>
    path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
  const { files } = proposal.profile;
  const isRefused = isNeverWritable(to) && files.writable.includes(from);
  return {
    ...proposal,
    profile: {
      ...proposal.profile,
      files: {
        ...files,
        readOnly: files.readOnly.map(move),
        writable: isRefused ? files.writable.filter((path) => path !== from) : files.writable.map(move),
        hidden: files.hidden.map(move),
        executable: files.executable.map(move),
      },
    },
    reasons: Object.fromEntries(
      Object.entries(proposal.reasons).map(([place, reasons]) => [
        place,
        new Map([...reasons].map(([value, why]) => [move(value), why])),
      ]),
    ),
    secrets: proposal.secrets.map(move),
    unmet: isRefused ? [...proposal.unmet, `to write below ${to}`] : proposal.unmet,
  };
}

function planNetwork({ peers }: Observations, { hosts }: LearnFacts) {
  const endpoints: SandboxEndpoint[] = [];
  const reasons = new Map<string, string>();
  const notes: string[] = [];
  for (const { address, port, isConnected } of peers) {
    if (port === 0) continue; // how a resolver asks which source address it would have
    const where = `${address} port ${port}`;
    const names = address === '::1' || address === '127.0.0.1' ? ['localhost'] : namesOf(address, hosts);
    const [name] = names;
    if (!isConnected)
      notes.push(
        `${where} was tried and did not answer: a lab host reaches nothing but itself. List it by its name if it is wanted`,
      );
    else if (name === undefined || names.length > 1) {
      notes.push(
        `${where} was connected to, under ${name === undefined ? 'no name' : 'several names'} that is known here: list it by its name if it is wanted`,
      );
    } else if (!reasons.has(`${name}:${port}`)) {
      endpoints.push({ host: name, port });
      reasons.set(`${name}:${port}`, `connects to ${address}`);
    }
  }
  return { endpoints, reasons, notes };
}

function namesOf(address: string, hosts: LearnFacts['hosts']): readonly string[] {
  return [...new Set(hosts.filter((line) => line.address === address).flatMap(({ names }) => names))];
}

function planLimits(observed: Observations, { cpuMs, peakMemoryBytes, outputBytes }: LearnFacts) {
  const cpuSeconds = cpuMs === null ? null : cpuMs / 1_000;
  const memory = peakMemoryBytes === null ? null : withMargin('memoryBytes', peakMemoryBytes);
  const unknown = 'could not be measured: the default';
  return {
    cpuSeconds: cpuSeconds === null ? null : withMargin('cpuSeconds', cpuSeconds),
    memoryBytes: memory === null ? null : Math.ceil(memory / MIB) * MIB,
    outputBytes: outputBytes === null ? null : Math.min(withMargin('outputBytes', outputBytes), 64 * MIB),
    reasons: new Map([
      ['cpuSeconds', cpuSeconds === null ? unknown : describeMargin('cpuSeconds', cpuSeconds, 'used')],
      ['memoryBytes', peakMemoryBytes === null ? unknown : describeMargin('memoryBytes', peakMemoryBytes, 'at most')],
      ['processes', describeMargin('processes', observed.tasks, 'at once, with threads')],
      ['openFiles', describeMargin('openFiles', observed.descriptors, 'descriptors')],
      ['fileBytes', describeMargin('fileBytes', observed.largestFileBytes, 'written to one file')],
      ['outputBytes', outputBytes === null ? unknown : describeMargin('outputBytes', outputBytes, 'on one stream')],
    ]),
  };
}

function withMargin(limit: keyof typeof MARGINS, measured: number): number {
  const { times, least } = MARGINS[limit];
  return Math.max(least, Math.ceil(measured * times));
}

function describeMargin(limit: keyof typeof MARGINS, measured: number, what: string): string {
  const { times, least } = MARGINS[limit];
  return `${Number(measured.toFixed(2))} ${what}, times ${times}, at least ${least}`;
}

function listSome(names: readonly string[]): string {
  const some = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${some} and ${names.length - 8} more` : some;
}
