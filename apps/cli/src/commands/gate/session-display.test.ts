import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { GateCommand } from '@holdfast/gate';
import { observe } from './session-display.ts';

const COMMAND: GateCommand = {
  id: 'go-tests',
  kind: 'test',
  argv: ['go', 'test', '-json'],
  cwd: '.',
  timeoutSeconds: 600,
  exit: [0],
  triage: [],
  report: { format: 'go-test-json', from: 'stdout' },
  floor: null,
  gapTests: [],
  expect: null,
  tier: 'test-proof',
  sandbox: null,
  maxAgeHours: null,
};

function shownOf(t: TestContext): () => string {
  const { mock } = t.mock.method(process.stderr, 'write', () => true);
  return () => mock.calls.map(({ arguments: [text] }) => String(text)).join('');
}

describe('observe', () => {
  it('leaves a report on standard output to the gate, and shows what goes beside it', (t) => {
    const shown = shownOf(t);
    const observer = observe(false);
    observer.onStart(COMMAND);
    observer.onOutput(Buffer.from('{"Action":"run"}\n'), 'stdout');
    observer.onOutput(Buffer.from('building\n'), 'stderr');
    const text = shown();
    assert.match(text, /^go-tests ▶ go test -json/);
    assert.match(text, /go-tests │ building\n$/);
    assert.doesNotMatch(text, /Action/);
  });

  it('shows standard output where the report is elsewhere', (t) => {
    const shown = shownOf(t);
    const observer = observe(false);
    observer.onStart({ ...COMMAND, report: null });
    observer.onOutput(Buffer.from('one\n'), 'stdout');
    assert.match(shown(), /go-tests │ one\n$/);
  });
});
