import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeEnvelope, encodeEnvelope, publicKeyPem } from '@holdfast/crypto';
import { exportDetached } from '@holdfast/evidence';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { hostSigner, otherSigner, sampleBundle } from './sample.ts';

const SCRIPT = fileURLToPath(new URL('../../../docs/guides/verify-with-openssl.sh', import.meta.url));
const { bytes } = sampleBundle({ hostName: 'höst-1.example' });

/** Runs the documented script as a stranger would. */
function verify(directory: string, bundle: Uint8Array, publicKey: Uint8Array) {
  writeFileSync(join(directory, 'bundle.dsse.json'), bundle);
  writeFileSync(join(directory, 'key.pem'), publicKeyPem(publicKey));
  return spawnSync('/bin/sh', [SCRIPT, join(directory, 'bundle.dsse.json'), join(directory, 'key.pem')], {
    encoding: 'utf8',
    timeout: 10_000,
    env: { PATH: '/usr/bin:/bin', TMPDIR: directory },
  });
}

describe('verification with openssl alone', () => {
  it('P-07: the documented script verifies a bundle and prints its statement', needs('openssl'), (t) => {
    const { status, stdout, stderr } = verify(temporaryDirectory(t), bytes, hostSigner.publicKey);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Signature Verified Successfully/);
    assert.equal(stdout, Buffer.from(decodeEnvelope(bytes).payload, 'base64').toString());
  });

  const envelope = decodeEnvelope(bytes);
  const tampered: { name: string; bundle: Uint8Array; key: Uint8Array }[] = [
    {
      name: 'one byte of the payload changed',
      bundle: encodeEnvelope({
        ...envelope,
        payload: Buffer.from(
          Buffer.from(envelope.payload, 'base64').toString().replace('"rules":3', '"rules":4'),
        ).toString('base64'),
      }),
      key: hostSigner.publicKey,
    },
    {
      name: 'another payload type',
      bundle: encodeEnvelope({ ...envelope, payloadType: 'text/plain' }),
      key: hostSigner.publicKey,
    },
    { name: 'the key of another host', bundle: bytes, key: otherSigner.publicKey },
    {
      name: 'a signature of zeroes',
      bundle: encodeEnvelope({ ...envelope, signatures: [{ keyid: '', sig: Buffer.alloc(64).toString('base64') }] }),
      key: hostSigner.publicKey,
    },
    { name: 'a bundle cut short', bundle: bytes.subarray(0, -100), key: hostSigner.publicKey },
    { name: 'an empty bundle', bundle: new Uint8Array(), key: hostSigner.publicKey },
  ];
  for (const { name, bundle, key } of tampered) {
    it(`P-07: the documented script refuses ${name}`, needs('openssl'), (t) => {
      const { status, stdout } = verify(temporaryDirectory(t), bundle, key);
      assert.notEqual(status, 0);
      assert.equal(stdout, '');
    });
  }

  it('P-28: openssl verifies a detached export, and not a changed one', needs('openssl'), (t) => {
    const directory = temporaryDirectory(t);
    const at = (name: string): string => join(directory, name);
    const detached = exportDetached(bytes, [hostSigner.publicKey]);
    assert.equal(detached.signature.length, 64);
    assert.ok(Buffer.from(detached.signed).toString().endsWith(Buffer.from(detached.payload).toString()));
    writeFileSync(at('key.pem'), detached.publicKeyPem);
    writeFileSync(at('signature.bin'), detached.signature);
    const openssl = (signed: Uint8Array): number | null => {
      writeFileSync(at('signed.bin'), signed);
      const argv = [
        '-verify',
        '-pubin',
        '-inkey',
        at('key.pem'),
        '-rawin',
        '-in',
        at('signed.bin'),
        '-sigfile',
        at('signature.bin'),
      ];
      return spawnSync('openssl', ['pkeyutl', ...argv], { timeout: 10_000, env: { PATH: '/usr/bin:/bin' } }).status;
    };
    assert.equal(openssl(detached.signed), 0);
    assert.notEqual(openssl(Buffer.concat([detached.signed, Buffer.from(' ')])), 0);
  });

  it('P-07: the guide explains the script, and the script stays within ten lines of commands', () => {
    const guide = readFileSync(new URL('../../../docs/guides/verify-evidence.md', import.meta.url), 'utf8');
    assert.ok(guide.includes('(verify-with-openssl.sh)'));
    const commands = readFileSync(SCRIPT, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    assert.ok(commands.length <= 10, `${commands.length} lines`);
  });
});
