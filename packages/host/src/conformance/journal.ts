/** The contract of `Journal`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Journal } from '../ports.ts';
import { calm, honoursAbort, rejectsWith, type Scope, type SuiteOptions } from './scope.ts';

export interface JournalSubject {
  readonly journal: Journal;
  /** A token that no line ever held. */
  readonly freshToken: () => string;
}

/** A line takes a moment from the socket to the sink. */
async function arrives(journal: Journal, token: string): Promise<boolean> {
  const deadline = performance.now() + 5_000;
  while (performance.now() < deadline) {
    if (await journal.contains(token, 60_000, calm())) return true;
  }
  return false;
}

export function describeJournal(
  name: string,
  open: (scope: Scope) => Promise<JournalSubject>,
  options: SuiteOptions = {},
): void {
  describe(`Journal: ${name}`, options, () => {
    it('C-10: a line that was written arrives, and one that was not does not', async (t) => {
      const { journal, freshToken } = await open(t);
      const token = freshToken();
      assert.equal(await journal.contains(token, 60_000, calm()), false);
      await journal.write(`canary ${token}`, calm());
      assert.equal(await arrives(journal, token), true);
      assert.equal(await journal.contains(freshToken(), 60_000, calm()), false);
    });

    it('takes no part of a token for the token', async (t) => {
      const { journal, freshToken } = await open(t);
      const token = freshToken();
      await journal.write(`canary ${token}`, calm());
      assert.equal(await arrives(journal, token), true);
      assert.equal(await journal.contains(`${token}x`, 60_000, calm()), false);
    });

    it('writes a line that looks like an option as it is', async (t) => {
      const { journal, freshToken } = await open(t);
      const token = freshToken();
      await journal.write(`--help ${token}`, calm());
      assert.equal(await arrives(journal, token), true);
    });

    for (const hostile of ['', 'two\nlines', 'nul\0', 'x'.repeat(1_025)]) {
      it(`refuses the line ${JSON.stringify(hostile.slice(0, 12))}`, async (t) => {
        const { journal } = await open(t);
        await rejectsWith('ERR_INPUT_INVALID', journal.write(hostile, calm()));
      });
    }

    for (const hostile of ['', 'a b', 'x'.repeat(129)]) {
      it(`takes ${JSON.stringify(hostile.slice(0, 12))} for no token`, async (t) => {
        const { journal } = await open(t);
        await rejectsWith('ERR_INPUT_INVALID', journal.contains(hostile, 60_000, calm()));
      });
    }

    it('writes nothing once the signal is aborted', async (t) => {
      const { journal, freshToken } = await open(t);
      const token = freshToken();
      await honoursAbort((signal) => journal.write(token, signal));
      await honoursAbort((signal) => journal.contains(token, 60_000, signal));
      assert.equal(await journal.contains(token, 60_000, calm()), false);
    });
  });
}
