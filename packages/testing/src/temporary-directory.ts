/** A directory that is gone when the test is over. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The part of a `TestContext` that this needs. */
interface Cleanup {
  after(fn: () => void): void;
}

/** Mode 0700, owned by the running user, without symlinks in its path. */
export function temporaryDirectory(t: Cleanup): string {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
