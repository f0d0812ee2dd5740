/**
 * Wakes the agent when a file the baseline names is touched (C-13: inotify-assisted). Hints only:
 * each cycle looks at everything all the same, so that a directory that cannot be watched, or an
 * event that is lost, costs time and never a finding.
 */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** The kernel's limit on watches is shared with everybody. */
const MAX_DIRECTORIES = 64;

export class FileHints implements Disposable {
  readonly #onChange: () => void;
  #watchers = new Map<string, FSWatcher>();
  #names = new Map<string, Set<string>>();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches the directories of exactly these files: so it also sees a file that is replaced or made. */
  follow(paths: readonly string[]): void {
    const names = new Map<string, Set<string>>();
    for (const path of paths) {
      const directory = dirname(path);
      const known = names.get(directory);
      if (known !== undefined) known.add(basename(path));
      else if (names.size < MAX_DIRECTORIES) names.set(directory, new Set([basename(path)]));
    }
    this.#names = names;
    for (const [directory, watcher] of this.#watchers) {
      if (names.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const directory of names.keys()) if (!this.#watchers.has(directory)) this.#open(directory);
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #open(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false });
      watcher.on('change', (_event, name) => {
        if (name === null || this.#names.get(directory)?.has(name.toString()) === true) this.#onChange();
      });
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(directory);
      });
      this.#watchers.set(directory, watcher);
    } catch {
      // Missing, not readable or out of watches: the next cycle tries again, and looks for itself.
    }
  }
}
