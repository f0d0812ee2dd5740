/**
 * From the files that a command used to the `files` of a profile. The rules, in this order:
 * the sandbox's own `/proc`, `/dev` and `/tmp` are not named; what looks like a secret is left out;
 * all of `/usr` is one entry; what is below the working directory is that directory; any other file is
 * named by itself, and its directory only when it was listed or eight of its files were read; what is
 * written is given by its directory, as Landlock wants it. Nothing wider than that, and never a whole
 * `/`, `/etc` or home.
 */
import { posix } from 'node:path';
import type { FileUse, Observations } from './observations.ts';
import { canBeNamed, isNeverShown, isNeverWritable, isSecret, isTooWide } from './forbidden-paths.ts';

/** A path, and why it is proposed. */
export type Reasons = ReadonlyMap<string, string>;

export interface FileNeeds {
  readonly readOnly: Reasons;
  readonly writable: Reasons;
  readonly hidden: Reasons;
  readonly executable: Reasons;
  /** Whether the command used `/tmp`. */
  readonly usesTmp: boolean;
  readonly unmet: readonly string[];
  /** Files that look like secrets, and were used. */
  readonly secrets: readonly string[];
  /** What was seen and is not given, although the command may do without. */
  readonly notes: readonly string[];
}

export interface FileFacts {
  /** Given as one entry; `null` when the command was started in `/`. */
  readonly workingDirectory: string | null;
  /** Of the files that were executed, those with a set-user-id or set-group-id bit. */
  readonly setIdPrograms: readonly string[];
}

/** So many files of one directory are given as the directory. */
const MANY_FILES = 8;
/** What `planSlot` puts into every sandbox. */
const OWN_DEVICES = /^\/dev\/(?:null|zero|full|random|urandom|stdin|stdout|stderr|fd(?:\/.*)?)$/;
const SYMLINKS_OF_USR = '/etc/alternatives';

export function planFiles(files: Observations['files'], facts: FileFacts): FileNeeds {
  const plan = new FilePlan(facts);
  for (const [path, uses] of Object.entries(files)) plan.take(path, new Set(uses));
  return plan.end();
}

class FilePlan {
  readonly #facts: FileFacts;
  readonly #read = new Map<string, string>();
  readonly #written = new Map<string, string>();
  readonly #executed = new Map<string, string>();
  readonly #secrets = new Set<string>();
  readonly #unmet = new Set<string>();
  readonly #notes = new Set<string>();
  #usesTmp = false;

  constructor(facts: FileFacts) {
    this.#facts = facts;
  }

  take(path: string, uses: ReadonlySet<FileUse>): void {
    if (OWN_DEVICES.test(path) || isWithin(path, '/proc') || isWithin(path, '/.launcher')) return;
    const isWritten = uses.has('write') || uses.has('change');
    const isRun = uses.has('execute') || uses.has('map');
    const isRead = uses.has('read') || uses.has('list');
    if (!isWritten && !isRun && !isRead) return; // attributes alone: the way to other files, or a search for them
    if (isWithin(path, '/dev')) {
      if (isRead || isWritten) this.#unmet.add(`the device or directory ${path}`);
      return;
    }
    if (isWithin(path, '/sys')) {
      this.#notes.add(`${path}: a sandbox has no /sys`);
      return;
    }
    if (isSecret(path)) {
      this.#secrets.add(path);
      return;
    }
    if (this.#isInside(path) && isNeverShown(this.#facts.workingDirectory ?? '')) {
      this.#unmet.add(`${this.#facts.workingDirectory} as its working directory`);
      return;
    }
    if (isWithin(path, '/root')) {
      this.#notes.add(`${path}: what is below /root is there for root alone`);
      return;
    }
    if (!canBeNamed(path) && !isWithin(path, '/tmp') && !this.#isInside(path)) {
      this.#unmet.add(`the file ${path}, whose name no profile can hold`);
      return;
    }
    if (isWritten) this.#write(path);
    if (isRun) this.#execute(path, isWritten);
    if (isRead && !isWritten) this.#readOnly(path, uses.has('list'));
  }

  #isInside(path: string): boolean {
    const { workingDirectory } = this.#facts;
    return workingDirectory !== null && isWithin(path, workingDirectory);
  }

  #write(path: string): void {
    const { workingDirectory } = this.#facts;
    if (workingDirectory !== null && this.#isInside(path)) {
      if (isNeverWritable(workingDirectory)) this.#unmet.add(`write access to ${workingDirectory}`);
      else note(this.#written, workingDirectory, 'the working directory');
      return;
    }
    if (isWithin(path, '/tmp')) {
      this.#usesTmp = true;
      return;
    }
    const directory = posix.dirname(path);
    if (isNeverWritable(directory)) this.#unmet.add(`write access to ${path}`);
    else note(this.#written, directory, `writes ${path}`);
  }

  #execute(path: string, isWritten: boolean): void {
    if (this.#facts.setIdPrograms.includes(path)) {
      this.#unmet.add(`the rights of ${path}, a set-user-id or set-group-id program`);
    }
    if (isNeverShown(path)) this.#unmet.add(`the execution of ${path}`);
    else if (isWritten || isWithin(path, '/tmp'))
      this.#unmet.add(`the execution of ${path}, which lies where it writes`);
    else note(this.#executed, isWithin(path, '/usr') ? '/usr' : path, `executes ${path}`);
  }

  #readOnly(path: string, isListed: boolean): void {
    const { workingDirectory } = this.#facts;
    if (isWithin(path, '/usr')) note(this.#read, '/usr', `reads ${path}`);
    else if (workingDirectory !== null && this.#isInside(path))
      note(this.#read, workingDirectory, 'the working directory');
    else if (path === '/tmp') this.#usesTmp = true;
    else if (!canBeNamed(path)) return; // made by the run, in /tmp
    else if (!isTooWide(path)) note(this.#read, path, isListed ? 'lists it' : 'reads it');
    else if (path !== '/') this.#notes.add(`lists ${path}: in the sandbox it holds only what the profile names`);
  }

  end(): FileNeeds {
    const writable = withoutNested(this.#written);
    const isWritable = (path: string): boolean => [...writable.keys()].some((directory) => isWithin(path, directory));
    for (const path of this.#executed.keys()) {
      if (!isWritable(path) && ![...writable.keys()].some((directory) => isWithin(directory, path))) continue;
      this.#unmet.add(`the execution of ${path}, which lies where it writes`);
      this.#executed.delete(path);
    }
    const read = this.#grouped();
    for (const path of this.#executed.keys()) note(read, path, this.#executed.get(path) ?? '');
    for (const path of read.keys()) {
      // A file that the run made and read again is in /tmp or in a writable directory already.
      if (isWritable(path)) read.delete(path);
    }
    if (read.has('/usr')) read.set(SYMLINKS_OF_USR, 'symlinks in /usr lead through it');
    const shown = withoutNested(read);
    const seen = [...shown.keys(), ...writable.keys()];
    const hidden = [...this.#secrets].filter(
      (path) => canBeNamed(path) && seen.some((directory) => isWithin(path, directory)),
    );
    return {
      readOnly: shown,
      writable,
      hidden: new Map(hidden.map((path) => [path, 'looks like a secret'])),
      executable: withoutNested(this.#executed),
      usesTmp: this.#usesTmp,
      unmet: [...this.#unmet],
      secrets: [...this.#secrets],
      notes: [...this.#notes],
    };
  }

  /** Many files of one directory become the directory, unless it is too wide. */
  #grouped(): Map<string, string> {
    const counts = new Map<string, number>();
    for (const path of this.#read.keys()) {
      const directory = posix.dirname(path);
      counts.set(directory, (counts.get(directory) ?? 0) + 1);
    }
    const grouped = new Map<string, string>();
    for (const [path, why] of this.#read) {
      const directory = posix.dirname(path);
      const count = counts.get(directory) ?? 0;
      if (count >= MANY_FILES && !isTooWide(directory) && !isSecret(directory))
        note(grouped, directory, `reads ${count} of its files`);
      else note(grouped, path, why);
    }
    return grouped;
  }
}

/** The first reason is enough. */
function note(reasons: Map<string, string>, path: string, why: string): void {
  if (!reasons.has(path)) reasons.set(path, why);
}

function withoutNested(paths: ReadonlyMap<string, string>): Map<string, string> {
  const outer = [...paths].filter(
    ([path]) => ![...paths.keys()].some((other) => other !== path && isWithin(path, other)),
  );
  return new Map(outer.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
