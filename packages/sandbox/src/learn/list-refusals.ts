/**
 * What a confined command was refused, from a trace of everything around it: the failures of its own
 * processes that the traced run without a sandbox did not have. Pure.
 */
import { NAMED_PATHS, OPENING } from './call-paths.ts';
import type { Observations } from './observations.ts';
import type { TraceEvent } from './read-trace.ts';
import { refusalOf } from './syscall-needs.ts';
import { textOf, type TraceCall } from './trace-text.ts';

/** What a sandbox that does not show or allow a file answers: mount namespace, Landlock, read-only mounts. */
const FILE_ERRORS: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'EPERM', 'EROFS', 'EXDEV']);
const FORKS: ReadonlySet<string> = new Set(['fork', 'vfork', 'clone', 'clone3']);
/** Enough to see what is wrong. */
const MAX_REFUSALS = 20;

/** Tells the command's processes from those of the sandbox: the first is the one that executes `program` last of all. */
export class RefusalObserver {
  readonly #program: string;
  readonly #observed: Observations;
  readonly #refusals = new Set<string>();
  readonly #known = new Set<number>();
  readonly #members = new Set<number>();
  /** Members whose fork has begun and is counted. */
  readonly #forking = new Set<number>();
  /** Forks of members whose child was not seen yet. Numbers say nothing: they are those of another namespace. */
  #expected = 0;

  constructor(program: string, observed: Observations) {
    this.#program = program;
    this.#observed = observed;
  }

  observe(event: TraceEvent): void {
    if (event.kind === 'damaged' || event.kind === 'ended') return;
    const { pid } = event;
    if (!this.#known.has(pid)) {
      this.#known.add(pid);
      if (this.#expected > 0) {
        this.#expected--;
        this.#members.add(pid);
      }
    }
    const isFork = this.#members.has(pid) && FORKS.has(event.kind === 'begun' ? event.name : event.call.name);
    if (isFork && !this.#forking.delete(pid)) this.#expected++;
    if (event.kind === 'begun') {
      if (isFork) this.#forking.add(pid);
      return;
    }
    const { call } = event;
    if (call.name === 'execve' && textOf(call.args[0]) === this.#program) {
      this.#members.add(pid);
      if (call.error !== undefined) this.#refusals.add(`execve ${this.#program}: ${call.error}`);
    } else if (this.#members.has(pid) && call.error !== undefined) this.#take(call, call.error);
  }

  list(): readonly string[] {
    return [...this.#refusals].slice(0, MAX_REFUSALS);
  }

  #take({ name, args }: TraceCall, error: string): void {
    const places = [OPENING.get(name)?.path, ...(NAMED_PATHS.get(name) ?? []).map(({ path }) => path)];
    const paths = places
      .map((at) => (at === undefined ? undefined : textOf(args[at])))
      .filter((path) => path !== undefined);
    if (paths.length > 0 && FILE_ERRORS.has(error)) {
      const known = paths.filter((path) => !path.startsWith('/') || Object.hasOwn(this.#observed.files, path));
      for (const path of known) this.#refusals.add(`${name} ${path}: ${error}`);
      return;
    }
    const wasAllowed = this.#observed.calls.some((call) => call.name === name) || name === 'socket';
    if (error === refusalOf(name) && wasAllowed) this.#refusals.add(`the system call ${name}: ${error}`);
  }
}
