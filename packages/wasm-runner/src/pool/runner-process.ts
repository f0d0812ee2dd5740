/**
 * One runner process from the parent's side: one task at a time, its deadline, its questions. It is
 * assumed to be in the hands of its guest: any surprise ends it.
 */
import { HoldfastError } from '@holdfast/core';
import { OutputBuffer, type OutputListener } from '@holdfast/wasm';
import { serialize } from 'node:v8';
import type { DirectoryBroker } from '../broker/directory-broker.ts';
import { brokenProtocol, encodeFrame, FrameReader } from '../protocol/frames.ts';
import {
  type ParsedMessage,
  type ParsedResult,
  parseMessage,
  type RunnerCall,
  type SentRequest,
} from '../protocol/messages.ts';
import type { RunnerChild, RunnerHost } from '../process/runner-host.ts';
import type { ModuleDescription } from '../runner.ts';

/** Names, counts and JSON around the bytes of a result. */
const HEADER_BYTES = 4_194_304;
/** From its start until it is ready: two orders of magnitude above a slow one. */
const START_TIMEOUT_MS = 30_000;

export interface Assignment {
  readonly request: SentRequest;
  readonly module: Uint8Array;
  /** By index of the directory; `undefined` where the whole content was sent. */
  readonly brokers: readonly (DirectoryBroker | undefined)[];
  /** Of one answer: changed files, or one piece of output. */
  readonly maxResultBytes: number;
  /** Of each stream. */
  readonly outputBytes: number;
  readonly deadlineMs: number;
}

/** What the guest had written, whole pieces in their order, each stream up to its cap. */
export interface CollectedOutput {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** `deadline`: killed for it; there is no result but what was written until then. */
export type Outcome =
  | { readonly kind: 'result'; readonly result: ParsedResult; readonly output: CollectedOutput }
  | { readonly kind: 'description'; readonly description: ModuleDescription }
  | { readonly kind: 'deadline'; readonly output: CollectedOutput };

const ANSWER_TO = { run: 'result', inspect: 'description' } as const;

/** Anything but output, which comes unasked for while a guest runs. */
type Answer = Exclude<ParsedMessage, { type: 'output' }>;

export class RunnerProcess {
  readonly #child: RunnerChild;
  readonly #frames = new FrameReader(HEADER_BYTES);
  #onMessage: (message: Answer) => void = () => this.kill(); // speaks when not spoken to
  #onOutput: OutputListener = () => this.kill(); // the same
  #onEnd: (cause: unknown) => void = () => undefined;
  #alive = true;
  /** Settles when everything it ever said was heard. */
  readonly #heard: Promise<void>;
  /** The one tenant of its life. */
  tenant: string | undefined;
  tasks = 0;
  /** Answers and questions together: a sandbox passes on only so much. */
  receivedBytes = 0;
  idleSinceMs = 0;

  private constructor(child: RunnerChild) {
    this.#child = child;
    this.#heard = this.#listen();
  }

  static async start(host: RunnerHost, signal: AbortSignal): Promise<RunnerProcess> {
    const runner = new RunnerProcess(await host.start(signal));
    const kill = (): void => runner.kill();
    const timer = setTimeout(kill, START_TIMEOUT_MS);
    signal.addEventListener('abort', kill, { once: true });
    try {
      const message = await runner.#next();
      if (message.type !== 'ready') throw brokenProtocol('not ready');
      return runner;
    } catch (error) {
      await runner[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
    }
  }

  get alive(): boolean {
    return this.#alive;
  }
  /** Settles when nothing of it is left. */
  get ended(): Promise<void> {
    return this.#child.ended;
  }

  kill(): void {
    this.#alive = false;
    this.#child.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#child.ended;
  }

  /**
   * Runs one task. Whatever this throws but a refused module, the process is gone when it does.
   *
   * @throws `ERR_WASM_RUNNER`, the refusal of a module, and `signal.reason`
   */
  async run(assignment: Assignment, signal: AbortSignal, onOutput: OutputListener): Promise<Outcome> {
    const { request, module, brokers, maxResultBytes, outputBytes, deadlineMs } = assignment;
    signal.throwIfAborted();
    this.tasks += 1;
    this.#frames.maxBytes = HEADER_BYTES + maxResultBytes;
    const [stdout, stderr] = (['stdout', 'stderr'] as const).map(
      (stream) => new OutputBuffer(outputBytes, 'drop', (bytes) => onOutput(stream, bytes)),
    ) as [OutputBuffer, OutputBuffer]; // one for each of two
    this.#onOutput = (stream, bytes) => {
      const buffer = stream === 'stdout' ? stdout : stderr;
      buffer.append(bytes);
      if (buffer.truncated) throw brokenProtocol('output'); // cutting it off is the process's own business
    };
    const output = (): CollectedOutput => ({ stdout: stdout.collected(), stderr: stderr.collected() });
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      this.kill(); // whatever it does
    }, deadlineMs);
    const abort = (): void => this.kill();
    signal.addEventListener('abort', abort, { once: true });
    try {
      let message = this.#next();
      this.#send(request);
      for (;;) {
        const received = await message;
        if (received.type === 'refused') throw refusal(received);
        if (received.type === ANSWER_TO[request.type]) {
          if (received.type === 'result') return { kind: 'result', result: received.result, output: output() };
          if (received.type === 'description') return { kind: 'description', description: received.description };
        }
        if (received.type !== 'call') throw brokenProtocol('out of turn');
        message = this.#next();
        this.#send(received.call.op === 'module' ? module : ask(brokers, received.call));
      }
    } catch (error) {
      if (this.#alive && !(error instanceof Refused)) this.kill();
      if (error instanceof Refused) throw error.reason;
      await Promise.all([this.#child.ended, this.#heard]);
      if (late) return { kind: 'deadline', output: output() };
      signal.throwIfAborted();
      throw error;
    } finally {
      this.#onOutput = () => this.kill();
      clearTimeout(deadline);
      signal.removeEventListener('abort', abort);
    }
  }

  /** Not awaited: a process that does not read is killed at the deadline, and answers nothing. */
  #send(value: unknown): void {
    void this.#child.write(encodeFrame(serialize(value)));
  }

  #next(): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    promise.catch(() => undefined); // awaited by whoever asked, in its own time
    this.#onMessage = (message) => {
      this.#onMessage = () => this.kill();
      resolve(message);
    };
    this.#onEnd = reject;
    if (!this.#alive) reject(gone());
    return promise;
  }

  async #listen(): Promise<void> {
    let cause: unknown;
    try {
      for await (const chunk of this.#child.stdout) {
        this.receivedBytes += chunk.length;
        this.#frames.push(chunk);
        for (let payload = this.#frames.shift(); payload !== undefined; payload = this.#frames.shift()) {
          const message = parseMessage(payload);
          if (message.type === 'output') this.#onOutput(message.stream, message.bytes);
          else this.#onMessage(message);
        }
      }
      cause = gone();
    } catch (error) {
      cause = error;
    }
    this.kill();
    this.#onEnd(cause);
  }
}

const gone = (): HoldfastError => new HoldfastError('the runner process ended', { code: 'ERR_WASM_RUNNER' });

/** The one failure after which the process is as good as before. */
class Refused extends Error {
  readonly reason: HoldfastError;
  constructor(reason: HoldfastError) {
    super(reason.message);
    this.reason = reason;
  }
}

function refusal({ code, text, fields }: Extract<ParsedMessage, { type: 'refused' }>): Refused {
  return new Refused(new HoldfastError(text, { code, fields }));
}

/** @throws `ERR_WASM_RUNNER` for a directory that is not brokered: our own client never asks for one */
function ask(brokers: Assignment['brokers'], call: Exclude<RunnerCall, { op: 'module' }>) {
  const broker = brokers[call.directory];
  if (broker === undefined) throw brokenProtocol('directory');
  switch (call.op) {
    case 'stat':
      return broker.stat(call.path);
    case 'list':
      return broker.list(call.path);
    case 'open':
      return broker.open(call.path);
    case 'statFile':
      return broker.statFile(call.handle);
    case 'close':
      broker.close(call.handle);
      return null;
    case 'read':
    default:
      return broker.read(call.handle, call.offset, call.length);
  }
}
