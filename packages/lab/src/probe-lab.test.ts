import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { needs } from '@holdfast/testing';
import { probeLinuxLab } from './probe-lab.ts';

describe('finding out whether lab hosts can run', () => {
  it('C-42: says yes where they can, and leaves no mount', needs('lab-hosts'), async (t) => {
    assert.equal(await probeLinuxLab(t.signal), undefined);
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), / \/tmp \S+ .*lowerdir=\/etc:\/usr/);
  });

  it('C-44: names root when it is missing', async (t) => {
    assert.equal(await probeLinuxLab(t.signal, 1000), 'root');
  });

  it('ends with the reason of an abort', needs('lab-hosts'), async () => {
    await assert.rejects(probeLinuxLab(AbortSignal.abort(new Error('enough'))), /enough/);
  });
});
