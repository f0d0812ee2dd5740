import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEMO, demoFiles } from './demo-content.ts';
import { countVariants, type DriftStep, planBreak, planMend } from './drift.ts';
import { BREAKABLE_CHECKS } from './lab.ts';

const machine = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nholdfast:x:999:999::/:/bin/false\nother:x:60501:1::/:/bin/false\n',
  shadow: 'root:*:1::::::\nholdfast:x:1::::::\n',
  group: 'root:x:0:\nshadow:x:42:\nsystemd-journal:x:999:someone\n',
};
const nowMs = Date.parse('2026-06-01T00:00:00Z');
const files = demoFiles({ hostName: 'web-1', machineId: '0'.repeat(32), nowMs, machine });
const facts = { name: 'web-1', files, nowMs };

/** Without certificates, whose signatures differ each time although what they say does not. */
function comparable(steps: readonly DriftStep[]): unknown {
  return steps.map((step) => (step.kind === 'write' && step.file.path === DEMO.certificateFile ? 'certificate' : step));
}

describe('the drift generator', () => {
  for (const check of BREAKABLE_CHECKS) {
    it(`C-43: breaks ${check} the same way for the same seed`, () => {
      for (const seed of [0, 1, 2, 3, 17, -5, 4_000_000_000]) {
        const [one, two] = [planBreak(check, seed, facts), planBreak(check, seed, facts)];
        assert.deepEqual({ ...one, steps: comparable(one.steps) }, { ...two, steps: comparable(two.steps) });
        assert.ok(one.steps.length > 0);
      }
    });

    it(`C-43: reaches every variant of ${check}, and there are several`, () => {
      const variants = Array.from({ length: countVariants(check) }, (_, seed) => planBreak(check, seed, facts).variant);
      assert.ok(variants.length >= 2);
      assert.equal(new Set(variants).size, variants.length);
    });

    it(`C-43: mends ${check} without looking at how it was broken`, () => {
      assert.deepEqual(planMend(check, facts), planMend(check, facts));
      assert.ok(planMend(check, facts).length > 0);
    });
  }

  it('refuses a seed that is no number', () => {
    assert.throws(() => planBreak('files', Number.NaN, facts), TypeError);
  });
});

function textOf(path: string): string {
  return files.find((file) => file.path === path)?.content ?? '';
}

describe('what a lab host is built with', () => {
  it('has the agent’s user once, whatever users the machine has', () => {
    assert.deepEqual(textOf('/etc/passwd').match(/^holdfast:.*$/gm), [
      'holdfast:x:60500:60500:Holdfast agent:/var/lib/holdfast/agent:/usr/sbin/nologin',
    ]);
    assert.doesNotMatch(textOf('/etc/passwd'), /^other:/m);
    assert.match(textOf('/etc/shadow'), /^holdfast:!\*:/m);
    assert.match(textOf('/etc/group'), /^systemd-journal:x:999:someone,holdfast$/m);
  });

  it('has no account without a password and no second root', () => {
    assert.doesNotMatch(textOf('/etc/shadow'), /^[^:]*::/m);
    assert.equal(textOf('/etc/passwd').match(/^[^:]*:x:0:/gm)?.length, 1);
  });

  it('has every file that the demo lists', () => {
    for (const path of [...DEMO.files, DEMO.certificateFile]) assert.notEqual(textOf(path), '');
  });
});
