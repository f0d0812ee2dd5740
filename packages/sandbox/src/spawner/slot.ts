/**
 * One sandbox: bubblewrap with the launcher waiting in it, in its control group and confined, checked
 * from outside and then good for one command. Ends with its command. What ends it at any time is the
 * death of process 1, after which the kernel leaves nothing of its namespace; and bubblewrap, which
 * ends only when process 1 has been reaped, is what we wait for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { type Duplex, PassThrough, type Readable, type Writable } from 'node:stream';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/core';
import type { SandboxLayer } from '@holdfast/policy';
import type { ControlGroup } from '../cgroup/control-groups.ts';
import { DescriptorChannel } from '../endpoints/descriptor-channel.ts';
import { EndpointForwarder } from '../endpoints/forward-endpoints.ts';
import { decodeReport, type LauncherReport } from '../launcher/report.ts';
import type { SlotPlan } from '../plan.ts';
import { describeStep } from '../plan-job.ts';
import type { SlotOwner } from './sandbox-user.ts';
import { StandardPipes } from './standard-pipes.ts';

/** Bubblewrap needs some 5 ms, the launcher 1; this is for a machine that stands still. */
const READY_TIMEOUT_MS = 10_000;
const READY_POLL_MS = 1;
/** What process 1 has to report the end of a command that was killed, before it is killed as well. */
const REPORT_MS = 10;
/** Two records are far below. */
const MAX_REPORT_BYTES = 4_096;
const NAMESPACES: Partial<Record<SandboxLayer, string>> = {
  'user-namespace': 'user',
  'pid-namespace': 'pid',
  'mount-namespace': 'mnt',
  'network-namespace': 'net',
  'ipc-namespace': 'ipc',
  'uts-namespace': 'uts',
  'cgroup-namespace': 'cgroup',
};

export class Slot {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly group: ControlGroup | null;
  /** Layers that were read back from the kernel while it waited. */
  verified: readonly SandboxLayer[] = [];
  /**
   * Settles when the command and everything it started has ended and its output is read. Bubblewrap and
   * process 1 may still be on their way out: waiting for them as well takes longer than `/bin/true`.
   */
  readonly ended: Promise<void>;
  /** Settles when bubblewrap, which waits for process 1, has ended as well. */
  readonly closed: Promise<void>;
  readonly #child: ChildProcess;
  /** What bubblewrap itself has to say. */
  readonly #complaints: Readable;
  readonly #control: Duplex;
  readonly #job: Duplex;
  readonly #plan: SlotPlan;
  /** Of a slot with endpoints; without any, `spawn` makes the socket pair of descriptor 3. */
  readonly #channel: DescriptorChannel | null;
  #forwarder: Promise<EndpointForwarder | null> = Promise.resolve(null);
  readonly #hasReported = Promise.withResolvers<void>();
  #launcherPid = 0;
  #reported: Buffer = Buffer.alloc(0);
  #killTimer: NodeJS.Timeout | undefined;
  isOver = false;

  private constructor(plan: SlotPlan, owner: SlotOwner | null, group: ControlGroup | null) {
    const note = (bytes: Buffer): void => {
      if (this.#reported.length < MAX_REPORT_BYTES) this.#reported = Buffer.concat([this.#reported, bytes]);
      if ((this.report()?.ended ?? null) !== null) this.#hasReported.resolve();
    };
    this.#plan = plan;
    this.group = group;
    const pipes = new StandardPipes(owner);
    this.stdin = pipes.stdin;
    this.stdout = pipes.stdout;
    this.stderr = pipes.stderr;
    this.#channel = plan.endpoints.length === 0 ? null : new DescriptorChannel(note);
    const [command, ...args] = plan.argv;
    const child = spawn(command, args, {
      env: {}, // also what /proc/1/environ shows inside
      cwd: '/',
      // Bubblewrap keeps 0 to 2 open until it ends, and closes what is above: only so does the end of
      // the command's output come with the end of the command.
      stdio: ['ignore', 'ignore', 'pipe', this.#channel?.far ?? 'pipe', 'pipe', ...pipes.far],
      ...owner,
    });
    child.on('error', () => undefined); // it has no pid then, which `#ready` says
    this.#channel?.handOver();
    pipes.handOver();
    // Without any descriptor left there are no streams either, whatever the types say.
    const streams = (child.stdio ?? []) as readonly unknown[];
    const [, , complaints = new PassThrough(), control = new PassThrough(), job = new PassThrough()] = streams;
    this.#complaints = complaints as Readable;
    this.#control = this.#channel?.socket ?? (control as Duplex);
    this.#job = job as Duplex;
    this.#child = child;
    for (const stream of [this.#control, this.#job]) stream.on('error', () => undefined); // its reader has ended
    if (this.#channel === null) this.#control.on('data', note);
    const exited = new Promise<void>((resolve) => {
      child.once('error', () => {
        this.isOver = true;
        for (const stream of [this.stdin, this.#control, this.#job]) stream.destroy();
        resolve();
      });
      child.once('exit', () => {
        this.isOver = true;
        clearTimeout(this.#killTimer);
        this.#channel?.finish();
        this.#control.end(); // not `destroy`: what process 1 reported may not be read yet
        this.#job.destroy();
        this.stdin.destroy();
      });
      child.once('close', () => resolve());
    });
    const read = [this.stdout, this.stderr].map((stream) => new Promise((resolve) => stream.once('close', resolve)));
    this.closed = Promise.all([exited, ...read]).then(() => undefined);
    this.ended = Promise.race([this.closed, this.#isEmptied().then((is) => (is ? undefined : this.closed))]);
  }

  /** @param owner set when we are root. @throws `ERR_SANDBOX_START`; nothing is left then */
  static async open(plan: SlotPlan, owner: SlotOwner | null, group: ControlGroup | null): Promise<Slot> {
    let slot: Slot;
    try {
      slot = new Slot(plan, owner, group);
    } catch (error) {
      await group?.remove();
      throw error;
    }
    try {
      await slot.#ready(plan.argv[0]);
      await slot.#confined();
      return slot;
    } catch (cause) {
      const said = slot.#complaints.read() as Buffer | null;
      await slot[Symbol.asyncDispose]();
      throw new HoldfastError('the sandbox could not be set up', {
        code: 'ERR_SANDBOX_START',
        fields: slot.failure() ?? {
          step: 'namespaces',
          reason: (said?.toString('utf8') ?? 'no answer').trim().slice(0, 200),
        },
        cause,
      });
    }
  }

  /** Hands the launcher its job. From here on the command runs. */
  start(table: Uint8Array): void {
    this.#job.write(table);
  }

  /**
   * To be called when the command has ended: delivers what it sent to its endpoints, and closes them.
   *
   * @throws `ERR_SANDBOX_START` when they could not be taken over, for which the command was killed
   */
  async closeEndpoints(): Promise<void> {
    await (await this.#forwarder)?.finish();
  }

  /** Any byte makes process 1 send SIGTERM to the command's group. */
  terminate(): void {
    if (!this.isOver) this.#control.write('\0');
  }

  /**
   * SIGKILL to the command, and a moment later to process 1, and so by the kernel to everything in its
   * namespace. The command goes first because process 1, as long as it is there, reports its end at
   * once; its own end takes down every namespace, which may take longer than a deadline allows.
   */
  kill(): void {
    if (this.isOver) return;
    const commands = this.#launcherPid > 0 ? childrenOf(this.#launcherPid) : [];
    if (commands.length === 0) return this.#killAll();
    // Numbers read a moment ago: the kernel gives one out again only after thousands of others.
    for (const pid of commands) tryKill(pid);
    this.#killTimer ??= setTimeout(() => this.#killAll(), REPORT_MS);
  }

  #killAll(): void {
    if (this.isOver) return;
    const { pid } = this.#child;
    try {
      // While bubblewrap is our child its pid is its own; a process with that parent is the launcher's.
      if (this.#launcherPid > 0 && pid !== undefined && childOf(pid) === this.#launcherPid) {
        process.kill(this.#launcherPid, 'SIGKILL');
        return;
      }
    } catch {
      // ended between the look and the blow: the next line does no harm
    }
    this.#child.kill('SIGKILL'); // before the launcher is known, --die-with-parent takes the rest down
  }

  /** `undefined` when what came is no report. */
  report(): LauncherReport | undefined {
    return decodeReport(this.#reported);
  }

  /** The step that the launcher could not do, for an error; `null` when it reported none. */
  failure(): { readonly step: string; readonly errno: string | null } | null {
    const failed = this.report()?.failed ?? null;
    if (failed === null) return null;
    const name = Object.entries(constants.errno).find(([, value]) => value === failed.errno)?.[0];
    return { step: describeStep(this.#plan, failed), errno: name ?? failed.errno?.toString() ?? null };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    for (const stream of [this.#complaints, this.stdout, this.stderr]) stream.resume();
    await this.closed;
    await (await this.#forwarder.catch(() => null))?.[Symbol.asyncDispose]();
    await this.group?.remove();
  }

  /** `null` when it ended before it listened. */
  async #forward(channel: DescriptorChannel): Promise<EndpointForwarder | null> {
    const descriptors = await channel.receive();
    return descriptors.length === 0 ? null : new EndpointForwarder(this.#plan.endpoints, descriptors);
  }

  /** Asked when the command has ended: whether its control group shows that nothing else is left of it. */
  async #isEmptied(): Promise<boolean> {
    const read = [this.stdout, this.stderr].map((stream) => new Promise((resolve) => stream.once('end', resolve)));
    await Promise.all([this.#hasReported.promise, ...read]);
    // What it left behind is killed when process 1 ends, and that takes until bubblewrap has ended.
    return this.group?.processes().every((pid) => pid === this.#launcherPid) ?? false;
  }

  async #ready(command: string): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${command} cannot be executed`);
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!this.isOver && performance.now() < deadline) {
      const child = childOf(pid);
      if (child !== null && isLauncher(child)) {
        this.#launcherPid = child;
        this.group?.join(child);
        this.verified = readBack(child, this.group);
        return;
      }
      await delay(READY_POLL_MS);
    }
    throw new Error('bubblewrap ended or did not become ready');
  }

  /** Hands the launcher its table, and looks until the command's process has put on the last layer. */
  async #confined(): Promise<void> {
    this.#control.write(this.#plan.table);
    if (this.#channel !== null) {
      this.#forwarder = this.#forward(this.#channel);
      this.#forwarder.catch(() => this.kill()); // whoever waits for the endpoints is told why
    }
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!this.isOver && performance.now() < deadline) {
      const command = childOf(this.#launcherPid);
      const layers = command === null ? [] : readBackProcess(command, this.#launcherPid);
      if (layers.includes('seccomp')) {
        this.verified = [...this.verified, ...layers];
        return;
      }
      await delay(READY_POLL_MS);
    }
    throw new Error('the launcher ended or did not become ready');
  }
}

const childOf = (pid: number): number | null => childrenOf(pid)[0] ?? null;

function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'ascii').split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // gone
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended between the look and the blow
  }
}

function isLauncher(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'ascii') === '.launcher\n';
  } catch {
    return false; // gone
  }
}

/** What /proc shows of the waiting launcher. What cannot be read is not claimed. */
function readBack(pid: number, group: ControlGroup | null): readonly SandboxLayer[] {
  const layers: SandboxLayer[] = [];
  for (const [layer, name] of Object.entries(NAMESPACES)) {
    if (readlinkSync(`/proc/${pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`)) {
      layers.push(layer as SandboxLayer); // a key of the table above
    }
  }
  const uids = /^Uid:\t(\d+)\t(\d+)\t(\d+)\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'ascii'))?.slice(1) ?? [];
  // A user of its own is neither root nor the one that starts it, in any of its four ids.
  if (uids.length === 4 && uids.every((uid) => uid !== '0' && Number(uid) !== process.getuid?.())) {
    layers.push('own-user');
  }
  const root = /^\d+ \d+ \S+ \S+ \/ (\S+)/m.exec(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'))?.[1];
  if (root?.split(',').includes('ro') === true) layers.push('read-only-root');
  if (group?.holds(pid) === true) layers.push('cgroup');
  return layers;
}

/** What /proc shows of the command's process while it waits, made by `parent`: all that it will have. */
function readBackProcess(pid: number, parent: number): readonly SandboxLayer[] {
  const [status, before] = [statusOf(pid), statusOf(parent)];
  const layers: SandboxLayer[] = [];
  if (status.match(/^Cap(Inh|Prm|Eff|Bnd|Amb):\t0{16}$/gm)?.length === 5) layers.push('capabilities');
  if (/^NoNewPrivs:\t1$/m.test(status)) layers.push('no-new-privileges');
  // One more than its parent: a spawner that is itself confined hands its own filters on.
  if (filtersOf(status) > filtersOf(before)) layers.push('seccomp');
  return layers;
}

/** `NaN`, which is neither more nor less than any number, when it does not say. */
function filtersOf(status: string): number {
  return Number(/^Seccomp_filters:\t(\d+)$/m.exec(status)?.[1]);
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'ascii');
  } catch {
    return ''; // gone
  }
}
