import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { temporaryDirectory } from '@holdfast/testing';

import { fingerprintsOf } from './authorized-keys.ts';

/** RFC 4251 §5: a string is its length and its bytes. */
const part = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);

/** An Ed25519 public key blob: the type, then 32 bytes. */
const blob = (fill: number): string => {
  const type = Buffer.from('ssh-ed25519');
  return Buffer.concat([part(type), part(Buffer.alloc(32, fill))]).toString('base64');
};
const A = `ssh-ed25519 ${blob(1)}`;
const B = `ssh-ed25519 ${blob(2)}`;

describe('fingerprintsOf', () => {
  const [fingerprint = ''] = fingerprintsOf(A);

  it('C-01: prints what ssh-keygen -lf prints', (t) => {
    const file = `${temporaryDirectory(t)}/keys`;
    writeFileSync(file, `${A} comment\n`);
    const printed = execFileSync('/usr/bin/ssh-keygen', ['-lf', file], { encoding: 'utf8' });
    assert.equal(printed.split(' ')[1], fingerprint);
  });

  const cases: [string, string][] = [
    ['a comment behind the key', `${A} me@host`],
    ['blanks before and behind', `  \t${A}  \r`],
    ['options', `no-pty,restrict ${A}`],
    ['options with blanks and commas in quotes', `command="echo a, b",from="10.0.0.1" ${A} x`],
    ['an escaped quote in options', `command="echo \\"a b\\" c" ${A}`],
    ['a key in the quotes of an option, which is none', `command="${B}" ${A}`],
    ['a certificate authority', `cert-authority ${A}`],
    ['a key twice', `${A}\n${A} again`],
  ];
  for (const [name, text] of cases)
    it(`C-01: finds the key: ${name}`, () => assert.deepEqual(fingerprintsOf(text), [fingerprint]));

  it('sorts', () => assert.deepEqual(fingerprintsOf(`${A}\n${B}`), fingerprintsOf(`${B}\n\n# c\n${A}`)));

  const none = [
    '',
    '#' + A,
    'ssh-ed25519',
    'ssh-ed25519 AAAA',
    `ssh-rsa ${blob(1)}`,
    `ssh-ed25519 ${blob(1).slice(0, 8)}`,
    `command="open ${A}`,
    `x${' '.repeat(20_000)}${A}`,
  ];
  for (const text of none)
    it(`finds no key in ${JSON.stringify(text.slice(0, 30))}`, () => assert.deepEqual(fingerprintsOf(text), []));
});
