/** The contract of `TimeSources`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { TimeSources } from '../ports.ts';
import { calm, honoursAbort, type Scope, type SuiteOptions } from './scope.ts';

export interface TimeSourcesSubject {
  readonly timeSources: TimeSources;
  /** Two sources that answer, `offsetMs` ahead of this host's clock. */
  readonly answering: readonly [string, string];
  readonly offsetMs: number;
  /** A source that does not answer. */
  readonly silent: string;
}

/** Scheduling on a busy machine counts half of itself into the offset. */
const TOLERANCE_MS = 250;

export function describeTimeSources(
  name: string,
  open: (scope: Scope) => Promise<TimeSourcesSubject>,
  options: SuiteOptions = {},
): void {
  describe(`TimeSources: ${name}`, options, () => {
    it('C-01: measures the offset of every source that answers, in the order asked', async (t) => {
      const { timeSources, answering, offsetMs } = await open(t);
      const samples = await timeSources.sample(answering, calm());
      assert.deepEqual(
        samples.map(({ source }) => source),
        answering,
      );
      for (const sample of samples) {
        assert.ok(Math.abs(sample.offsetMs - offsetMs) < TOLERANCE_MS, `offset ${sample.offsetMs}`);
        assert.ok(sample.roundTripMs >= 0);
      }
    });

    it('leaves out the silent ones and waits for none of them one after the other', async (t) => {
      const { timeSources, answering, silent } = await open(t);
      const samples = await timeSources.sample([silent, answering[1], silent], calm());
      assert.deepEqual(
        samples.map(({ source }) => source),
        [answering[1]],
      );
    });

    it('no source gives no sample', async (t) => {
      const { timeSources } = await open(t);
      assert.deepEqual(await timeSources.sample([], calm()), []);
    });

    it('ends when the signal is aborted', async (t) => {
      const { timeSources, silent } = await open(t);
      await honoursAbort((signal) => timeSources.sample([silent], signal));
    });
  });
}
