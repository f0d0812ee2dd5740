import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CircuitBreaker } from './circuit-breaker.ts';

const opened = (): CircuitBreaker => {
  const breaker = new CircuitBreaker({ failures: 5, openMs: 60_000, successes: 2 });
  for (let failure = 1; failure <= 5; failure++) {
    assert.ok(breaker.begin(0), `before failure ${failure}`);
    breaker.end('failure', 0);
  }
  return breaker;
};

describe('the circuit breaker', () => {
  it('C-25: the fifth failure in a row opens it, a success before that begins anew', () => {
    assert.equal(opened().state(0), 'open');
    const breaker = new CircuitBreaker({ failures: 5, openMs: 60_000, successes: 2 });
    for (const verdict of ['failure', 'failure', 'failure', 'failure', 'success', 'failure', 'none'] as const) {
      breaker.begin(0);
      breaker.end(verdict, 0);
    }
    assert.equal(breaker.state(0), 'closed');
  });

  it('C-25: it is open to the last millisecond of its minute', () => {
    const breaker = opened();
    assert.equal(breaker.begin(59_999), false);
    assert.equal(breaker.state(60_000), 'half-open');
    assert.equal(breaker.begin(60_000), true);
  });

  it('C-25: half open, one attempt at a time; a failure opens it for another minute', () => {
    const breaker = opened();
    assert.ok(breaker.begin(60_000));
    assert.equal(breaker.begin(60_000), false);
    breaker.end('failure', 61_000);
    assert.equal(breaker.state(120_999), 'open');
    assert.equal(breaker.state(121_000), 'half-open');
  });

  it('C-25: two successes close it; an attempt that shows nothing counts neither way', () => {
    const breaker = opened();
    for (const verdict of ['success', 'none'] as const) {
      assert.ok(breaker.begin(60_000));
      breaker.end(verdict, 60_000);
      assert.equal(breaker.state(60_000), 'half-open');
    }
    assert.ok(breaker.begin(60_000));
    breaker.end('success', 60_000);
    assert.equal(breaker.state(60_000), 'closed');
  });
});
