/** Boots a throw-away host and keeps the contracts of services, journal and accounts inside it. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { it } from 'node:test';

import { needs } from '@holdfast/testing';

import { bootHost } from './booted-host.ts';

function prepare(root: string): void {
  const units = `${root}/etc/systemd/system`;
  mkdirSync(units, { recursive: true });
  writeFileSync(`${units}/holdfast-steady.service`, '[Service]\nExecStart=/bin/sleep infinity\n');
  writeFileSync(`${units}/holdfast-failing.service`, '[Service]\nType=oneshot\nExecStart=/bin/false\n');
  // The suites restart far more often than any service should.
  mkdirSync(`${units}/service.d`, { recursive: true });
  writeFileSync(`${units}/service.d/no-limit.conf`, '[Unit]\nStartLimitIntervalSec=0\n');
  appendFileSync(`${root}/etc/passwd`, 'holdfast-test:x:64123:64123::/nonexistent:/bin/sh\n');
  appendFileSync(`${root}/etc/shadow`, 'holdfast-test:$y$j9T$salt$hash:19000:0:99999:7:::\n');
}

it('C-01: services, journal and accounts keep their contracts under a real systemd', needs('lab-hosts'), async () => {
  await using host = await bootHost(prepare);
  const inside = resolve(import.meta.dirname, 'inside-booted-host.ts');
  const { exitCode, output } = host.run(process.execPath, '--no-warnings', '--test', inside);
  assert.equal(exitCode, 0, output);
  assert.match(output, /fail 0/);
  assert.match(output, /skipped 0/);
});
