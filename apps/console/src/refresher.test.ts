import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { createRefresher } from './refresher.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('createRefresher', () => {
  it('W-13: a burst is one refresh, a long refresh is followed by a rest, and nothing is lost', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    let [nowMs, began] = [0, 0];
    let finish: (() => void) | undefined;
    const refresher = createRefresher(
      () =>
        new Promise((resolve) => {
          began += 1;
          finish = resolve;
        }),
      () => nowMs,
    );
    for (let times = 0; times < 50; times += 1) refresher.want();
    mock.timers.tick(249);
    assert.equal(began, 0);
    mock.timers.tick(1);
    assert.equal(began, 1);
    refresher.want(); // while it works
    nowMs = 1_000;
    finish?.();
    await turn();
    mock.timers.tick(3_999);
    assert.equal(began, 1);
    mock.timers.tick(1);
    assert.equal(began, 2);
    refresher.want();
    refresher.stop();
    finish?.();
    await turn();
    mock.timers.tick(60_000);
    assert.equal(began, 2);
  });

  it('W-13: a refresh that fails does not end refreshing', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    let began = 0;
    const refresher = createRefresher(
      async () => {
        began += 1;
        throw new Error('the server is away');
      },
      () => 0,
    );
    for (const wanted of [1, 2]) {
      refresher.want();
      mock.timers.tick(250);
      await turn();
      assert.equal(began, wanted);
    }
  });
});
