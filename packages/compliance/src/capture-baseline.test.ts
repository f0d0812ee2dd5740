import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { baselineFrom, captureAll, checksIn, loadedFrom, neverAborted } from '../test/baselines.ts';
import { goodParts, inMemoryHost, NOW_MS, unreadable } from '../test/in-memory-host.ts';
import { complianceOperations } from './compliance-operations.ts';
import { diffBaselines } from './diff-baselines.ts';
import { listBaselineFiles } from './list-baseline-files.ts';
import { runChecks } from './run-checks.ts';

describe('captureBaseline', () => {
  it('C-04: what was just captured passes, whatever odd bytes a file holds', async () => {
    const contents = [
      '',
      '\n',
      'no newline',
      'tab\tend \n',
      '# yaml: [',
      '--- \n...\n',
      ' leading',
      'a\r\nb',
      '\u0000\u0001',
      '\uFEFFbom',
      'ü€😀\n',
      '"\'|>',
    ];
    const parts = goodParts();
    contents.forEach((content, index) =>
      parts.files.set(`/odd/${index}`, { bytes: Buffer.from(content), mode: '0644', uid: 1, gid: 2 }),
    );
    parts.files.set('/odd/binary', { bytes: Uint8Array.of(0xff, 0x00, 0xfe), mode: '0644', uid: 1, gid: 2 });
    const host = inMemoryHost(parts);
    const yaml = await captureAll(host, { files: [...parts.files.keys()] });
    const loaded = loadedFrom(yaml);
    const results = await runChecks(loaded, { host, nowMs: NOW_MS }, neverAborted, { checks: checksIn(loaded) });
    assert.equal(results.length, 8);
    for (const result of results) {
      assert.equal(result.status, 'pass', JSON.stringify(result.findings));
    }
    assert.deepEqual(listBaselineFiles(baselineFrom(yaml)), [...parts.files.keys()].toSorted());
  });

  it('P-08: what others may not read is not written down', async () => {
    const yaml = await captureAll(inMemoryHost(goodParts()));
    assert.ok(!yaml.includes('do not show'));
    assert.match(yaml, /path: \/etc\/secret/);
  });

  it('C-04: what is not written down is kept under its digest, when there is a place', async () => {
    const host = inMemoryHost(goodParts());
    const blobs = new Map<string, Uint8Array>();
    const saveBlob = async (sha256: string, bytes: Uint8Array): Promise<void> => void blobs.set(sha256, bytes);
    const yaml = await captureAll(host, { saveBlob });
    assert.deepEqual(
      [...blobs.values()].map((bytes) => Buffer.from(bytes).toString()),
      ['do not show\n'],
    );
    assert.match(yaml, /blob: true/);
    const operation = complianceOperations(baselineFrom(yaml), { blobs: async (sha256) => blobs.get(sha256) ?? null });
    await host.files.remove('/etc/secret', neverAborted);
    await operation.get('files.restore')?.apply({ path: '/etc/secret' }, host, neverAborted);
    assert.equal(Buffer.from(await host.files.read('/etc/secret', 100, neverAborted)).toString(), 'do not show\n');
  });

  it('C-04: content is written down anyway for files that are named', async () => {
    const yaml = await captureAll(inMemoryHost(goodParts()), { inlineAnyway: ['/etc/secret'] });
    assert.match(yaml, /do not show/);
  });

  it('C-04: units that have failed already are tolerated', async () => {
    const parts = goodParts();
    parts.units.set('old.service', { load: 'loaded', active: 'failed', sub: 'failed' });
    const host = inMemoryHost(parts);
    const yaml = await captureAll(host);
    const results = await runChecks(loadedFrom(yaml), { host, nowMs: NOW_MS }, neverAborted);
    assert.equal(results.find(({ check }) => check === 'services')?.status, 'pass');
  });

  it('C-04: a file that is missing is refused, by its place', async () => {
    await assert.rejects(captureAll(inMemoryHost(goodParts()), { files: ['/nowhere'] }), (error) => {
      assert.ok(hasCode(error, 'ERR_BASELINE_INVALID'));
      assert.match(error.message, /checks\.files\.entries\.0\.sha256/);
      return true;
    });
  });

  it('C-04: what cannot be read is no baseline', async () => {
    const parts = goodParts();
    parts.broken.set('accounts.list', unreadable);
    await assert.rejects(captureAll(inMemoryHost(parts)));
  });
});

const customCheck = (name: string, module: string): string =>
  `  - {name: ${name}, title: Ours, module: "${module.repeat(64)}", severity: high}\n`;

describe('diffBaselines', () => {
  it('C-04: shows what changed, and nothing for another order or spelled-out defaults', async () => {
    const yaml = await captureAll(inMemoryHost(goodParts()));
    const before = baselineFrom(yaml);
    assert.equal(diffBaselines(before, baselineFrom(`${yaml}exceptions: []\nhostId: null\n`)), null);
    const diff = diffBaselines(before, baselineFrom(yaml.replace('port: 22', 'port: 2222'))) ?? '';
    assert.match(diff, /^--- before\n\+\+\+ after\n@@ /);
    assert.match(diff, /^-\s+- port: 22$|^-\s+port: 22$/m);
    assert.match(diff, /^\+.*port: 2222$/m);
  });

  it('C-14: shows what changed in a custom check once, and nothing for another order', () => {
    const head = 'version: 1\nname: x\ncreated: 2026-03-01T12:00:00.000Z\nchecks: {}\ncustomChecks:\n';
    const [one, two] = [customCheck('one', 'a'), customCheck('two', 'b')];
    const before = baselineFrom(head + one + two);
    assert.equal(diffBaselines(before, baselineFrom(head + two + one)), null);
    const diff = diffBaselines(before, baselineFrom(head + one + customCheck('two', 'c'))) ?? '';
    assert.deepEqual(diff.match(/^[-+] .*$/gm), [`-    module: ${'b'.repeat(64)}`, `+    module: ${'c'.repeat(64)}`]);
  });
});
