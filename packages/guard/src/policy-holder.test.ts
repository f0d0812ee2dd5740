import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { HoldfastError } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { type PolicyChange, PolicyHolder } from './policy-holder.ts';

const GOOD = 'version = 1\n[[profiles]]\nname = "odd"\n';
const OTHER = `${GOOD}description = "another"\n`;

describe('PolicyHolder', () => {
  it('G-13: a profile that cannot be compiled refuses the policy and is named; the last good one stays', (t) => {
    const path = join(temporaryDirectory(t), 'policy.toml');
    const changes: PolicyChange[] = [];
    const holder = new PolicyHolder(
      path,
      ({ name, description }) => {
        if (name !== 'odd' || description === '') return;
        throw new HoldfastError('no', { code: 'ERR_SANDBOX_PROFILE', fields: { call: 'frobnicate' } });
      },
      (change) => changes.push(change),
    );
    writeFileSync(path, GOOD, { mode: 0o644 });
    const first = holder.current();
    assert.ok(first);
    writeFileSync(path, OTHER);
    assert.equal(holder.current(), first);
    assert.equal(holder.state, 'refused');
    const finding = changes.at(-1)?.findings.find(({ severity }) => severity === 'ERROR');
    assert.deepEqual([finding?.code, finding?.path], ['bad-profile', 'profiles.odd']);
    assert.match(finding?.message ?? '', /call frobnicate/);
  });

  it('G-13: files that change while their profiles are compiled are not put in force, and are read again', (t) => {
    const path = join(temporaryDirectory(t), 'policy.toml');
    let isSwitched = false;
    const changes: PolicyChange[] = [];
    const holder = new PolicyHolder(
      path,
      () => {
        if (!isSwitched) writeFileSync(path, OTHER);
        isSwitched = true;
      },
      (change) => changes.push(change),
    );
    writeFileSync(path, GOOD, { mode: 0o644 });
    assert.equal(holder.current(), null);
    assert.equal(changes.at(-1)?.findings.at(-1)?.code, 'changed-while-loading');
    assert.equal(holder.current()?.profiles.get('odd')?.description, 'another');
    assert.equal(holder.state, 'loaded');
  });
});
