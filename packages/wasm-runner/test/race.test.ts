/** opens through the broker while another process swaps directories for links. */
import { temporaryDirectory } from '@holdfast/testing';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { openDirectoryBroker } from '../src/broker/directory-broker.ts';

/** A million for the claim itself; a tenth of it each time. */
const OPENS = Number(process.env['HOLDFAST_RACE_OPENS'] ?? 100_000);

/** Swaps `granted/a/b` between a directory, a link to the outside, and a directory moved there. */
const RACER = `
  const { renameSync, symlinkSync, unlinkSync, linkSync } = require('node:fs');
  const base = process.argv[1];
  for (;;) {
    renameSync(base + '/granted/a/b', base + '/granted/a/kept');
    symlinkSync('../../outside', base + '/granted/a/b');
    unlinkSync(base + '/granted/a/b');
    linkSync(base + '/outside/file', base + '/granted/a/b');
    unlinkSync(base + '/granted/a/b');
    symlinkSync('/proc/self/root' + base + '/outside', base + '/granted/a/b');
    unlinkSync(base + '/granted/a/b');
    renameSync(base + '/granted/a', base + '/outside/a');
    renameSync(base + '/outside/a', base + '/granted/a');
    renameSync(base + '/granted/a/kept', base + '/granted/a/b');
    for (const pauseMs = performance.now() + 0.02; performance.now() < pauseMs; ); // in place, now and then
  }`;

it(`X-14: ${OPENS} opens against a racing renamer, none of them outside`, async (t) => {
  const base = temporaryDirectory(t);
  mkdirSync(join(base, 'granted/a/b'), { recursive: true });
  mkdirSync(join(base, 'outside'));
  writeFileSync(join(base, 'granted/a/b/file'), 'inside');
  writeFileSync(join(base, 'outside/file'), 'ESCAPE');
  const racer = spawn(process.execPath, ['-e', RACER, base], { stdio: 'ignore', env: {} });
  await using cleanup = new AsyncDisposableStack(); // before the directory goes, which cannot while somebody renames in it
  cleanup.defer(async () => {
    racer.kill('SIGKILL');
    if (racer.exitCode === null && racer.signalCode === null) await once(racer, 'exit');
  });
  await once(racer, 'spawn');

  const broker = openDirectoryBroker(join(base, 'granted'), { openFiles: 4, readBytes: 1e9, listEntries: 100 });
  t.after(() => broker[Symbol.dispose]());
  let [opened, missed, escaped] = [0, 0, 0];
  for (let n = 0; n < OPENS; n++) {
    const file = broker.open(n % 16 === 0 ? ['a', 'b'] : ['a', 'b', 'file']);
    if (!file.ok) {
      missed += 1;
      continue;
    }
    const bytes = broker.read(file.value, 0, 6);
    if (!bytes.ok || Buffer.from(bytes.value).toString() !== 'inside') escaped += 1;
    broker.close(file.value);
    opened += 1;
  }
  assert.equal(racer.exitCode, null, 'the racer raced to the end');
  t.diagnostic(`${opened} opened, ${missed} not there at that moment, ${escaped} escaped`);
  assert.equal(escaped, 0);
  assert.ok(opened > OPENS / 100 && missed > OPENS / 100, 'both sides of the race were seen');
});
