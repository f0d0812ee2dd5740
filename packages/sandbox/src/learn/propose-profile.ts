/**
 * What was observed as a profile that allows it and nothing more, with a reason for every
 * entry, and with everything that it does not allow. Pure. A proposal is to be read by a person before
 * it becomes policy; nothing in it is applied by itself.
 */
import { type SandboxEndpoint, type SandboxProfile, SandboxProfileSchema } from '@holdfast/policy';
import { type FileFacts, isWithin, planFiles, type Reasons } from './file-needs.ts';
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
/**
 * How much more than was measured is allowed, and the least and the most. Two for what is steady, four
 * for what follows its input; the most is what a profile can say.
 */
const MARGINS = {
  cpuSeconds: { times: 4, least: 5, most: 86_400 },
  memoryBytes: { times: 2, least: 32 * MIB, most: 1_024 ** 4 },
  processes: { times: 2, least: 8, most: 32_768 },
  openFiles: { times: 2, least: 64, most: 1_048_576 },
  fileBytes: { times: 4, least: MIB, most: 1_024 ** 4 },
  outputBytes: { times: 4, least: 64 * 1_024, most: 64 * MIB },
  tmpBytes: { times: 4, least: MIB, most: 16 * 1_024 ** 3 },
} as const;
/** As a profile takes them: no address, which has no place in a sandbox. */
const ENDPOINT_NAME = /^(?=.{1,253}$)(?!.*\.\d+$)[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/;
/** A sandbox with endpoints has its own; see `nameFiles`. */
const OWN_NAME_FILES = ['/etc/hosts', '/etc/nsswitch.conf'];
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
  const { endpoints } = network;
  const given = endpoints.length === 0 ? [] : OWN_NAME_FILES;
  const readOnly = take(
    'readOnly',
    [...files.readOnly.keys()].filter((path) => !given.includes(path)),
  );
  const profile = SandboxProfileSchema.parse({
    name,
    files: {
      readOnly,
      writable: take('writable', [...files.writable.keys()]),
      hidden: take('hidden', [...files.hidden.keys()]),
      executable: take('executable', [...files.executable.keys()]).filter((path) =>
        readOnly.some((shown) => isWithin(path, shown)),
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

function planNetwork({ peers }: Observations, { hosts }: LearnFacts) {
  const reasons = new Map<string, string>();
  const endpoints: SandboxEndpoint[] = [];
  const notes: string[] = [];
  const wanted = 'list it by its name if it is wanted';
  // Connected ones first: of a name's addresses it is enough that one answered.
  for (const { address, port, isConnected } of peers.toSorted(
    (a, b) => Number(b.isConnected) - Number(a.isConnected),
  )) {
    const [name, another] = namesOf(address, hosts);
    const isClear = name !== undefined && another === undefined && ENDPOINT_NAME.test(name);
    if (isClear && reasons.has(`${name}:${port}`)) continue;
    if (!isConnected)
      notes.push(`${address} port ${port} did not answer, since a lab host reaches only itself: ${wanted}`);
    else if (!isClear) notes.push(`${address} port ${port} was used, and one name of it is not known: ${wanted}`);
    else if (endpoints.length === MAX_ENTRIES.endpoints) notes.push(`${address} port ${port} is one endpoint too many`);
    else {
      endpoints.push({ host: name, port });
      reasons.set(`${name}:${port}`, `connects to ${address}`);
    }
  }
  return { endpoints, reasons, notes };
}

function namesOf(address: string, hosts: LearnFacts['hosts']): readonly string[] {
  if (address === '127.0.0.1' || address === '::1') return ['localhost'];
  return [...new Set(hosts.filter((line) => line.address === address).flatMap(({ names }) => names))];
}

function planLimits(observed: Observations, { cpuMs, peakMemoryBytes, outputBytes }: LearnFacts) {
  const cpuSeconds = cpuMs === null ? null : cpuMs / 1_000;
  const memory = peakMemoryBytes === null ? null : withMargin('memoryBytes', peakMemoryBytes);
  const unknown = 'could not be measured: the default';
  return {
    cpuSeconds: cpuSeconds === null ? null : withMargin('cpuSeconds', cpuSeconds),
    memoryBytes: memory === null ? null : Math.ceil(memory / MIB) * MIB,
    outputBytes: outputBytes === null ? null : withMargin('outputBytes', outputBytes),
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
  const { times, least, most } = MARGINS[limit];
  return Math.min(most, Math.max(least, Math.ceil(measured * times)));
}

function describeMargin(limit: keyof typeof MARGINS, measured: number, what: string): string {
  const { times, least } = MARGINS[limit];
  return `${Number(measured.toFixed(2))} ${what}, times ${times}, at least ${least}`;
}

function listSome(names: readonly string[]): string {
  const some = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${some} and ${names.length - 8} more` : some;
}
