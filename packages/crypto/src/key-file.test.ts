import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { signerFromSeed, verifyEd25519 } from './ed25519.ts';
import { generateSigner, loadSigner } from './key-file.ts';

const SEED = Buffer.alloc(32, 7);
const PEM = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });

/** A key file with `content` and `mode`, in a directory of its own. */
function keyFile(t: TestContext, content: string | Uint8Array, mode = 0o600): string {
  const path = join(temporaryDirectory(t), 'host.key');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function refuses(path: string, reason: string | RegExp): void {
  assert.throws(
    () => loadSigner(path),
    (error) => {
      assert.ok(hasCode(error, 'ERR_KEY_INVALID'));
      assert.match(String(error.fields['reason']), typeof reason === 'string' ? new RegExp(`^${reason}$`) : reason);
      assert.ok(!inspect(error, { depth: null }).includes(SEED.toString('base64')));
      return true;
    },
  );
}

describe('key files', () => {
  it('P-01: loads PKCS#8 PEM', (t) => {
    const signer = loadSigner(keyFile(t, PEM));
    assert.ok(verifyEd25519(signer.publicKey, SEED, signer.sign(SEED)));
  });

  it('P-01: loads 32 raw bytes', (t) => {
    assert.equal(loadSigner(keyFile(t, SEED)).keyId, signerFromSeed(SEED).keyId);
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const contents: { name: string; content: string | Uint8Array; reason: string | RegExp }[] = [
    { name: 'an empty file', content: '', reason: 'empty' },
    { name: 'a raw key cut short', content: SEED.subarray(0, 31), reason: 'not-pkcs8' },
    { name: 'a raw key with a newline', content: Buffer.concat([SEED, Buffer.from('\n')]), reason: 'not-pkcs8' },
    { name: 'a raw key of 64 bytes', content: Buffer.alloc(64, 1), reason: 'not-pkcs8' },
    { name: 'zeroes', content: Buffer.alloc(32), reason: 'zeroes' },
    { name: 'a PEM cut short', content: PEM.slice(0, 60), reason: 'not-pkcs8' },
    { name: 'a PEM with a damaged body', content: PEM.replace(/^M../m, 'AAA'), reason: 'not-pkcs8' },
    { name: 'two keys', content: PEM + PEM, reason: 'not-pkcs8' },
    { name: 'an RSA key', content: rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }), reason: /.*/ },
    {
      name: 'an RSA key in PKCS#1',
      content: rsa.privateKey.export({ format: 'pem', type: 'pkcs1' }),
      reason: 'not-pkcs8',
    },
    {
      name: 'an Ed448 key',
      content: generateKeyPairSync('ed448').privateKey.export({ format: 'pem', type: 'pkcs8' }),
      reason: /.*/,
    },
    { name: 'a public key', content: rsa.publicKey.export({ format: 'pem', type: 'spki' }), reason: 'not-pkcs8' },
    {
      name: 'an encrypted key',
      content: generateKeyPairSync('ed25519').privateKey.export({
        format: 'pem',
        type: 'pkcs8',
        cipher: 'aes-256-cbc',
        passphrase: 'x',
      }),
      reason: 'not-pkcs8',
    },
    { name: 'kilobytes of something', content: PEM + '#'.repeat(5_000), reason: 'too-large' },
  ];
  for (const { name, content, reason } of contents) {
    it(`P-01: refuses ${name}`, (t) => refuses(keyFile(t, content), reason));
  }

  for (const mode of [0o640, 0o604, 0o644, 0o660, 0o700, 0o400, 0o4600]) {
    it(`P-01: refuses mode ${mode.toString(8)}`, (t) => refuses(keyFile(t, PEM, mode), 'mode'));
  }

  for (const mode of [0o770, 0o707, 0o1777]) {
    it(`P-01: refuses a directory of mode ${mode.toString(8)}`, (t) => {
      const path = keyFile(t, PEM);
      chmodSync(join(path, '..'), mode);
      refuses(path, 'directory-writable-by-others');
    });
  }

  it('P-01: accepts a directory that others may only read', (t) => {
    const path = keyFile(t, PEM);
    chmodSync(join(path, '..'), 0o755);
    assert.ok(loadSigner(path).keyId);
  });

  it('P-01: refuses a missing file, a missing directory and a directory in its place', (t) => {
    const directory = temporaryDirectory(t);
    refuses(join(directory, 'host.key'), 'ENOENT');
    refuses(join(directory, 'no', 'host.key'), 'ENOENT');
    mkdirSync(join(directory, 'host.key'));
    refuses(join(directory, 'host.key'), 'not-a-file');
  });

  it('P-01: refuses a symlink to a good key, and a symlinked directory', (t) => {
    const path = keyFile(t, PEM);
    const link = join(path, '..', 'link.key');
    symlinkSync(path, link);
    refuses(link, 'ELOOP');
    const elsewhere = join(temporaryDirectory(t), 'keys');
    symlinkSync(join(path, '..'), elsewhere);
    refuses(join(elsewhere, 'host.key'), /ENOTDIR|ELOOP/);
  });

  it('P-01: does not wait for the writer of a FIFO', (t) => {
    const path = join(temporaryDirectory(t), 'host.key');
    execFileSync('/usr/bin/mkfifo', ['-m', '0600', path]);
    refuses(path, 'not-a-file');
  });

  it("P-01: refuses another user's file and directory", needs('root'), (t) => {
    const path = keyFile(t, PEM);
    chownSync(path, 65_534, 65_534);
    refuses(path, 'owner');
    chownSync(path, 0, 0);
    chownSync(join(path, '..'), 65_534, 65_534);
    refuses(path, 'directory-owner');
  });
});

describe('generateSigner', () => {
  it('P-01: writes a key that loads, 0600, in a directory 0700, and leaves nothing else', (t) => {
    const path = join(temporaryDirectory(t), 'keys', 'host.key');
    const signer = generateSigner(path);
    assert.equal(loadSigner(path).keyId, signer.keyId);
    assert.equal(statSync(path).mode & 0o7777, 0o600);
    assert.equal(statSync(join(path, '..')).mode & 0o7777, 0o700);
    assert.deepEqual(readdirSync(join(path, '..')), ['host.key']);
    assert.match(readFileSync(path, 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/);
  });

  it('P-01: replaces nothing', (t) => {
    const path = keyFile(t, 'precious');
    assert.throws(
      () => generateSigner(path),
      (error) => hasCode(error, 'ERR_KEY_INVALID'),
    );
    assert.equal(readFileSync(path, 'utf8'), 'precious');
    assert.deepEqual(readdirSync(join(path, '..')), ['host.key']);
  });

  it('P-01: does not write through a dangling symlink', (t) => {
    const directory = temporaryDirectory(t);
    symlinkSync(join(directory, 'elsewhere'), join(directory, 'host.key'));
    assert.throws(
      () => generateSigner(join(directory, 'host.key')),
      (error) => hasCode(error, 'ERR_KEY_INVALID'),
    );
    assert.deepEqual(readdirSync(directory), ['host.key']);
  });

  it('P-01: refuses a directory that others can write', (t) => {
    const directory = temporaryDirectory(t);
    chmodSync(directory, 0o777);
    assert.throws(
      () => generateSigner(join(directory, 'host.key')),
      (error) => hasCode(error, 'ERR_KEY_INVALID'),
    );
    assert.deepEqual(readdirSync(directory), []);
  });

  it('P-01: two keys are never the same', (t) => {
    const directory = temporaryDirectory(t);
    const first = generateSigner(join(directory, 'a.key'));
    renameSync(join(directory, 'a.key'), join(directory, 'b.key'));
    assert.notEqual(generateSigner(join(directory, 'a.key')).keyId, first.keyId);
  });
});
