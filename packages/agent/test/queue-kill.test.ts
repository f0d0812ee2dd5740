/** The queue under kill -9 at random moments: nothing skipped, nothing doubled (C-33). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';

const ROUNDS = 12;
const MAX_KILL_DELAY_MS = 60;

describe('the queue, killed', () => {
  it('C-33: every outbox entry is enqueued exactly once over kills at random points', async (t) => {
    const path = join(temporaryDirectory(t), 'queue.sqlite');
    const uploaded = new Set<number>();
    for (let round = 0; round < ROUNDS; round++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'queue-writer.ts'), path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      let text = '';
      child.stdout.setEncoding('utf8');
      child.stdout.on('data', (chunk: string) => {
        // It runs freely for a random while from when it opened the queue.
        if (text === '') setTimeout(() => child.kill('SIGKILL'), Math.random() * MAX_KILL_DELAY_MS);
        text += chunk;
      });
      await once(child, 'close');
      for (const [, seq] of text.matchAll(/^up (\d+)$/gm)) uploaded.add(Number(seq));

      const db = new DatabaseSync(path);
      const cursor = Number(db.prepare(`SELECT value FROM number WHERE name = 'cursor'`).get()?.['value']);
      const rows = db.prepare('SELECT seq, state FROM bundle ORDER BY seq').all();
      const { value: total } = db.prepare(`SELECT value FROM number WHERE name = 'uploaded'`).get() as {
        value: number;
      };
      const check = db.prepare('PRAGMA integrity_check').get()?.['integrity_check'];
      db.close();
      assert.equal(check, 'ok');
      assert.deepEqual(
        rows.map((row) => row['seq']),
        Array.from({ length: cursor }, (_, index) => index + 1),
        'exactly what the cursor says',
      );
      const settled = rows.filter((row) => row['state'] === 'uploaded');
      assert.equal(settled.length, total);
      for (const row of settled) assert.ok(uploaded.has(Number(row['seq'])), `${String(row['seq'])} was never sent`);
    }
    assert.ok(uploaded.size > 0);
  });
});
