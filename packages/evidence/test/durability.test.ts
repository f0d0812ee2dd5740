import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openEvidenceStore } from '@holdfast/evidence';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { hostSigner } from './sample.ts';

const WRITER = fileURLToPath(new URL('./writer.ts', import.meta.url));

describe('durability', () => {
  it('P-28: a writer killed at any moment loses nothing it acknowledged and leaves nothing damaged', async (t) => {
    const directory = join(temporaryDirectory(t), 'evidence');
    const acknowledged: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const child = spawn(process.execPath, [WRITER, directory, '10000', String(round * 10_000)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      // Primes, so that the kills fall on different steps; the kernel adds its own chance.
      const wanted = [1, 7, 13, 29, 41, 53][round] ?? 1;
      let seen = 0;
      for await (const id of createInterface({ input: child.stdout })) {
        acknowledged.push(id);
        seen += 1;
        if (seen === wanted) child.kill('SIGKILL');
      }
      if (child.signalCode === null && child.exitCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, 'SIGKILL');
    }
    const store = openEvidenceStore(directory, { keys: [hostSigner.publicKey] });
    const { pending, findings: inPending } = await store.listPending();
    assert.deepEqual(inPending, []);
    for (const { bundleId } of pending) await store.publish(bundleId);
    const { bundles, findings } = await store.list();
    assert.deepEqual(findings, []);
    const listed = new Set<string>(bundles.map(({ bundleId }) => bundleId));
    assert.deepEqual(
      acknowledged.filter((id) => !listed.has(id)),
      [],
    );
    assert.ok(acknowledged.length >= 144);
  });

  it('P-28: syncs the file before its rename, and both directories after', needs('strace'), (t) => {
    const directory = temporaryDirectory(t);
    const trace = join(directory, 'trace');
    const argv = ['-f', '-y', '-s', '300', '-e', 'trace=fsync,rename,renameat,renameat2', '-o', trace];
    const { status, stderr } = spawnSync(
      'strace',
      [...argv, process.execPath, WRITER, join(directory, 'evidence'), '1'],
      { encoding: 'utf8', timeout: 30_000 },
    );
    assert.equal(status, 0, stderr);
    // `fsync(20</path/name>) = 0` and `rename("/a", "/b") = 0`, possibly split over lines by other threads.
    const calls = readFileSync(trace, 'utf8')
      .split('\n')
      .map((line) => /\b(fsync|rename)\w*\((?:\d+<([^>]*)>|"([^"]*)")/.exec(line))
      .filter((match) => match !== null)
      .map(([, call, synced, renamed]) => `${call} ${(synced ?? renamed ?? '').replace(`${directory}/`, '')}`)
      .map((call) => call.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<id>').replaceAll(/\.[0-9a-f]{16}\.tmp/g, '<tmp>'));
    const order = [
      'fsync evidence/pending/<tmp>',
      'rename evidence/pending/<tmp>',
      'fsync evidence/pending',
      'fsync evidence/2026/01/02',
      'rename evidence/pending/<id>.dsse.json',
      'fsync evidence/2026/01/02/<id>',
    ];
    let from = 0;
    for (const call of order) {
      from = calls.indexOf(call, from) + 1;
      assert.ok(from > 0, `${call} in its place in\n${calls.join('\n')}`);
    }
    assert.equal(calls.at(-1), 'fsync evidence/pending');
    // Every directory that was made is made durable in the one above.
    for (const parent of [directory, 'evidence', 'evidence/2026', 'evidence/2026/01', 'evidence/2026/01/02']) {
      assert.ok(calls.includes(`fsync ${parent}`), parent);
    }
  });
});
