/**
 * One client of the spawner: its runs, their streams, and their end. A client that breaks the
 * protocol loses its connection; a connection that ends takes its runs with it.
 */
import type { Duplex } from 'node:stream';
import { HoldfastError, isHoldfastError } from '@holdfast/core';
import { z } from 'zod';
import { planJob } from '../plan-job.ts';
import type { SandboxJob, SandboxResult } from '../sandbox.ts';
import { watchCpu } from './cpu-budget.ts';
import {
  decodeCredit,
  encodeCredit,
  encodeFrame,
  encodeJsonFrame,
  type Frame,
  FRAME,
  FrameDecoder,
  MAX_DATA_BYTES,
  STREAM,
  WINDOW_BYTES,
} from './frames.ts';
import { howEnded } from './how-ended.ts';
import { requireOnlyJob, requireOnlyProfile } from './only-job.ts';
import { OutputPump } from './output-pump.ts';
import type { Slot } from './slot.ts';
import { isReadBack, type PreparedProfile, type Spawner } from './spawner.ts';
import { MAX_SLOTS_PER_PROFILE } from './slot-pool.ts';

/** A client that does not read is not listened to any further above the first, and let go above the second. */
const [PAUSE_UNSENT_BYTES, MAX_UNSENT_BYTES] = [1_024 * 1_024, 64 * 1_024 * 1_024];
/** Requests to warm that a client may have open: more than there are profiles in a policy. */
const MAX_WARMING = 64;
const DEFAULT_KILL_AFTER_MS = 1_000;
const MAX_TIMEOUT_MS = 7 * 86_400_000;

const NoNul = z.string().regex(/^[^\0]*$/);
const JobSchema = z.strictObject({
  profile: z.unknown(),
  argv: z.tuple([NoNul.startsWith('/')], NoNul),
  cwd: NoNul.startsWith('/').optional(),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/), NoNul).optional(),
  timeoutMs: z.number().min(1).max(MAX_TIMEOUT_MS),
  killAfterMs: z.number().min(0).max(60_000).optional(),
});
type Job = z.infer<typeof JobSchema>;
const WarmSchema = z.strictObject({ profile: z.unknown(), slots: z.int().min(0).max(MAX_SLOTS_PER_PROFILE) });

/**
 * Serves `stream` until it ends. Resolves when nothing that it had started is left.
 *
 * @param onlyJob the one that this client may run; `null` for a client that may run anything
 */
export async function serveConnection(
  spawner: Spawner,
  stream: Duplex,
  onlyJob: SandboxJob | null = null,
): Promise<void> {
  const runs = new Map<number, Run>();
  const ends = new Set<Promise<void>>();
  let warming = 0;
  const decoder = new FrameDecoder();
  const send = (frame: Buffer): void => {
    if (stream.destroyed) return;
    stream.write(frame);
    if (stream.writableLength > MAX_UNSENT_BYTES) stream.destroy();
  };
  const answer = async (number: number, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      send(encodeJsonFrame(FRAME.failed, number, describeError(error)));
    }
  };
  const start = async (number: number, payload: Buffer): Promise<void> => {
    using place = spawner.enter(onlyJob === null ? 'any-job' : 'only-job');
    const asked = parseAs(JobSchema, payload);
    if (onlyJob !== null) requireOnlyJob(onlyJob, asked);
    const job = onlyJob === null ? asked : JobSchema.parse(onlyJob);
    const run = new Run(number, job, send);
    runs.set(number, run);
    try {
      await run.live(spawner.prepare(job.profile));
    } finally {
      runs.delete(number);
      void place;
    }
  };
  const onFrame = ({ kind, run: number, payload }: Frame): boolean => {
    if (kind === FRAME.start) {
      if (runs.has(number)) return false;
      const end = answer(number, () => start(number, payload));
      ends.add(end);
      void end.then(() => ends.delete(end));
    } else if (kind === FRAME.stdin) return runs.get(number)?.take(payload) ?? true;
    else if (kind === FRAME.stdinEnd) runs.get(number)?.endInput();
    else if (kind === FRAME.kill) runs.get(number)?.kill();
    else if (kind === FRAME.credit) return runs.get(number)?.widen(payload) ?? true;
    else if (kind === FRAME.layers) send(encodeJsonFrame(FRAME.answer, number, spawner.layers()));
    else if (kind === FRAME.warm) {
      if (warming >= MAX_WARMING) return false;
      warming += 1;
      const end = answer(number, async () => {
        const { profile, slots } = parseAs(WarmSchema, payload);
        if (onlyJob !== null) requireOnlyProfile(onlyJob, profile);
        await spawner.prepare(profile).pool.warm(slots);
        send(encodeJsonFrame(FRAME.answer, number, null));
      });
      void end.then(() => (warming -= 1));
    } else return false; // a frame only we send
    return true;
  };
  stream.on('data', (bytes: Buffer) => {
    const frames = decoder.push(bytes);
    if (frames === undefined || !frames.every(onFrame)) stream.destroy();
    if (stream.writableLength <= PAUSE_UNSENT_BYTES) return;
    stream.pause();
    stream.once('drain', () => stream.resume());
  });
  stream.on('error', () => undefined); // 'close' follows
  await new Promise<void>((resolve) => {
    stream.once('end', () => stream.destroy());
    stream.once('close', () => resolve());
  });
  for (const run of runs.values()) run.kill();
  await Promise.all(ends);
}

class Run {
  readonly #number: number;
  readonly #job: Job;
  readonly #send: (frame: Buffer) => void;
  readonly #pumps: OutputPump[] = [];
  #slot: Slot | null = null;
  #killed = false;
  #inputWindow = WINDOW_BYTES;

  constructor(number: number, job: Job, send: (frame: Buffer) => void) {
    this.#number = number;
    this.#job = job;
    this.#send = send;
  }

  /** From taking a slot to the last frame. @throws what the client is told instead */
  async live({ compiled, layers, pool }: PreparedProfile): Promise<void> {
    const { argv, cwd, env, timeoutMs, killAfterMs = DEFAULT_KILL_AFTER_MS } = this.#job;
    const table = planJob(compiled, {
      argv,
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
    });
    const slot = await pool.take();
    await using ending = slot;
    this.#slot = slot;
    const startedMs = performance.now();
    let timedOut = false;
    if (this.#killed) slot.kill();
    else slot.start(table);
    this.#send(encodeFrame(FRAME.started, this.#number));
    const { outputBytes, cpuSeconds } = compiled.profile.limits;
    for (const [stream, kind] of [
      [slot.stdout, FRAME.stdout],
      [slot.stderr, FRAME.stderr],
    ] as const) {
      this.#pumps.push(
        new OutputPump(stream, outputBytes, (bytes) => this.#send(encodeFrame(kind, this.#number, bytes))),
      );
    }
    let killTimer: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      timedOut = true;
      slot.terminate();
      killTimer = setTimeout(() => this.#stop(), killAfterMs);
    }, timeoutMs);
    let overCpu = false;
    // A second above the limit, as the hard one of each process is: who can be told by SIGXCPU is.
    using watch = watchCpu(
      () => slot.group?.usage().cpuMs ?? { unknown: 'there is no control group' },
      (cpuSeconds + 1) * 1_000,
      () => {
        overCpu = true;
        this.#stop();
      },
    );
    await slot.ended;
    void watch; // until here
    clearTimeout(timer);
    clearTimeout(killTimer);
    const wallMs = performance.now() - startedMs;
    await slot.closeEndpoints();

    const failure = slot.failure();
    if (failure !== null) {
      throw new HoldfastError('the command could not be started in its sandbox', {
        code: 'ERR_SANDBOX_START',
        fields: failure,
      });
    }
    const ended = slot.report()?.ended ?? null;
    const unmeasured = { unknown: 'there is no control group, and the command was killed' };
    const used = slot.group?.usage();
    const signal = ended === null ? 'SIGKILL' : ended.signal;
    const result: SandboxResult = {
      exitCode: ended?.exitCode ?? null,
      signal,
      endedBy: howEnded({ timedOut, killed: this.#killed, overCpu, ended, used, cpuSeconds }),
      usage: {
        wallMs,
        cpuMs: used?.cpuMs ?? (ended === null ? unmeasured : { value: ended.cpuMs }),
        peakMemoryBytes: used?.peakMemoryBytes ?? (ended === null ? unmeasured : { value: ended.peakMemoryBytes }),
        readBytes: used?.readBytes ?? { unknown: 'there is no control group' },
        writtenBytes: used?.writtenBytes ?? { unknown: 'there is no control group' },
      },
      // What a slot shows was read from /proc; for the rest the launcher compared the kernel's answer
      // to every step, and would have reported the first that differed and not gone on.
      layers: layers.filter((layer) => !isReadBack(layer) || slot.verified.includes(layer)),
      profileHash: compiled.hash,
      stdoutBytes: this.#pumps[0]?.seenBytes ?? 0,
      stderrBytes: this.#pumps[1]?.seenBytes ?? 0,
      truncated: this.#pumps.some(({ seenBytes }) => seenBytes > outputBytes),
    };
    this.#send(encodeJsonFrame(FRAME.ended, this.#number, result));
    void ending; // its control group goes now
  }

  kill(): void {
    this.#killed = true;
    this.#stop();
  }

  /** Also when nobody takes the output: a command whose pipes are full has not ended. */
  #stop(): void {
    this.#slot?.kill();
    for (const pump of this.#pumps) pump.widen(Number.MAX_SAFE_INTEGER); // what is left in the pipes is bounded by them
  }

  /** @returns false when the client sent more than its window */
  take(bytes: Buffer): boolean {
    this.#inputWindow -= bytes.length;
    if (this.#inputWindow < 0 || bytes.length > MAX_DATA_BYTES || this.#slot === null) return false;
    this.#slot.stdin.write(bytes, () => {
      this.#inputWindow += bytes.length;
      this.#send(encodeCredit(this.#number, STREAM.stdin, bytes.length));
    });
    return true;
  }

  endInput(): void {
    this.#slot?.stdin.end();
  }

  widen(payload: Buffer): boolean {
    const credit = decodeCredit(payload);
    if (credit === undefined || credit.stream < STREAM.stdout || credit.stream > STREAM.stderr) return false;
    this.#pumps[credit.stream - 1]?.widen(credit.bytes);
    return true;
  }
}

function parseAs<T>(schema: z.ZodType<T>, payload: Buffer): T {
  try {
    return schema.parse(JSON.parse(payload.toString('utf8')));
  } catch (cause) {
    throw new HoldfastError('the job is malformed', {
      code: 'ERR_SANDBOX_START',
      fields: { step: 'job', place: cause instanceof z.ZodError ? (cause.issues[0]?.path.join('.') ?? '') : 'JSON' },
      cause,
    });
  }
}

function describeError(error: unknown): { code: string; message: string; fields: HoldfastError['fields'] } {
  if (isHoldfastError(error)) return { code: error.code, message: error.message, fields: error.fields };
  // A bug of ours or a kernel that refuses something for the first time: what it said stays here.
  return { code: 'ERR_SANDBOX_START', message: 'the spawner failed', fields: { step: 'spawner' } };
}
