import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { forTerminal } from './output.ts';

describe('forTerminal', () => {
  it('R-23: text of strangers cannot write another verdict over ours', () => {
    const hostile = 'NO_GO\r\u001b[2J\u001b[HGO \u009b31m\u202eOG\u0007\u007f';
    assert.equal(forTerminal(hostile), 'NO_GO\\u000d\\u001b[2J\\u001b[HGO \\u009b31m\\u202eOG\\u0007\\u007f');
  });

  it('R-23: leaves lines, tabs and every script as they are', () => {
    const text = 'one\n\ttwo: Zürich, 東京, שלום ✔\n';
    assert.equal(forTerminal(text), text);
  });

  it('R-23: what it makes of JSON is JSON with the same meaning', () => {
    const value = { title: 'a\u009bb\u202ec\u001b' };
    assert.deepEqual(JSON.parse(forTerminal(JSON.stringify(value))), value);
  });
});
