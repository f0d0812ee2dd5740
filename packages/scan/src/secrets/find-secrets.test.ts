import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateRawSync, gzipSync } from 'node:zlib';

import { strToU8, zipSync } from 'fflate';

import { Maker, negatives, POSITIVES } from '../../test/secret-corpus.ts';
import { findSecrets } from './find-secrets.ts';

function costOf(content: Buffer): number {
  const start = process.cpuUsage();
  findSecrets(content, 'a');
  return process.cpuUsage(start).user;
}

const SEEDS = [1, 2, 3, 4, 5];
const rulesIn = (content: string | Buffer, path = 'src/a.ts'): string[] =>
  findSecrets(Buffer.from(content), path).found.map(({ rule }) => rule.id);

describe('R-24: kinds of secrets', () => {
  for (const [kind, make] of Object.entries(POSITIVES)) {
    it(`finds: ${kind}`, () => {
      for (const seed of SEEDS) {
        const { text, path } = make(new Maker(seed));
        assert.equal(rulesIn(`// line\n${text}`, path).length, 1, `seed ${seed}`);
      }
    });
  }

  it('says in which line', () => {
    const { text } = POSITIVES['github token']!(new Maker(1));
    assert.equal(findSecrets(Buffer.from(`\n\n  ${text}`), 'a').found[0]?.line, 3);
  });

  it('a token that fails its checksum is found as a lesser thing', () => {
    const { text } = POSITIVES['github token, damaged checksum']!(new Maker(1));
    assert.equal(findSecrets(Buffer.from(text), 'a').found[0]?.severity, 'P1');
  });
});

describe('R-24: what only looks like a secret', () => {
  for (const [index, { path = '' }] of negatives(new Maker(1)).entries()) {
    it(`is quiet about ${index}: ${path}`, () => {
      for (const seed of SEEDS) {
        const { text } = negatives(new Maker(seed))[index]!;
        assert.deepEqual(rulesIn(text, path), [], `seed ${seed}`);
      }
    });
  }
});

describe('R-24: forms of text', () => {
  const token = new Maker(7).checked('ghp');
  const half = 17;
  const cases: { name: string; content: string | Buffer }[] = [
    {
      name: 'in the middle of binary data',
      content: Buffer.concat([Buffer.alloc(900), Buffer.from(token), Buffer.alloc(9)]),
    },
    { name: 'UTF-16 little endian with a mark', content: Buffer.from(`\uFEFFtoken: ${token}\n`, 'utf16le') },
    { name: 'UTF-16 big endian', content: Buffer.from(`\uFEFFtoken: ${token}\n`, 'utf16le').swap16() },
    {
      name: 'UTF-16 inside a binary',
      content: Buffer.concat([Buffer.alloc(901), Buffer.from(token, 'utf16le'), Buffer.alloc(9)]),
    },
    { name: 'gzip', content: gzipSync(`token: ${token}\n`) },
    { name: 'gzip in gzip', content: gzipSync(gzipSync(token)) },
    { name: 'gzip cut off', content: gzipSync(`${token}\n${new Maker(8).base62(9_000)}`).subarray(0, 4_000) },
    { name: 'zip', content: Buffer.from(zipSync({ 'a/b.txt': strToU8(`token=${token}`) })) },
    { name: 'gzip in zip', content: Buffer.from(zipSync({ 'a.gz': gzipSync(token) })) },
    { name: 'base64', content: `data: ${Buffer.from(`token=${token}\n`).toString('base64')}\n` },
    {
      name: 'base64 twice',
      content: Buffer.from(Buffer.from(`token=${token}\n`).toString('base64')).toString('base64'),
    },
    { name: 'base64url', content: `x=${Buffer.from(`???>>>${token}`).toString('base64url')}` },
    {
      name: 'wrapped base64',
      content: Buffer.from(`${new Maker(9).base62(80)} ${token} ${new Maker(9).base62(80)}`)
        .toString('base64')
        .replaceAll(/.{76}/g, '$&\r\n'),
    },
    {
      name: 'UTF-16 in base64, as PowerShell takes it',
      content: `powershell -enc ${Buffer.from(`$t='${token}'`, 'utf16le').toString('base64')}`,
    },
    { name: 'gzip in base64', content: `blob: ${gzipSync(token).toString('base64')}` },
    { name: 'split with plus', content: `const t = '${token.slice(0, half)}' + '${token.slice(half)}';` },
    { name: 'split over lines', content: `t = ("${token.slice(0, half)}" +\n     "${token.slice(half)}")` },
    { name: 'adjacent literals', content: `t = ("${token.slice(0, half)}"\n     "${token.slice(half)}")` },
    { name: 'three parts', content: `t = "${token.slice(0, 6)}" . "${token.slice(6, half)}" . "${token.slice(half)}"` },
    { name: 'a list that is joined', content: `['${token.slice(0, half)}', '${token.slice(half)}'].join('')` },
    { name: 'continued with a backslash', content: `TOKEN=${token.slice(0, half)}\\\n${token.slice(half)}` },
    { name: 'after an escaped line end', content: String.raw`"first\n${token}\n"` },
    { name: 'CRLF', content: `a\r\ntoken: ${token}\r\n` },
    {
      name: 'minified, in one line of a megabyte',
      content: `${'a(b);'.repeat(100_000)}"${token}"${'a(b);'.repeat(100_000)}`,
    },
  ];
  for (const { name, content } of cases) {
    it(`finds a token: ${name}`, () => assert.deepEqual(rulesIn(content), ['github-token']));
  }

  it('names the line of a split token by its start', () => {
    const text = `a\nb\nt = "${token.slice(0, half)}" +\n  "${token.slice(half)}"`;
    assert.equal(findSecrets(Buffer.from(text), 'a').found[0]?.line, 3);
  });

  it('names the line of the base64 text', () => {
    assert.equal(findSecrets(Buffer.from(`a\nb: ${Buffer.from(token).toString('base64')}`), 'a').found[0]?.line, 2);
  });
});

describe('R-24: hostile files', () => {
  it('a gzip bomb is bounded and named', () => {
    const { skipped } = findSecrets(gzipSync(Buffer.alloc(80 * 1_048_576)), 'bomb.gz');
    assert.deepEqual(skipped, ['gzip data is damaged or expands too far']);
  });

  it('a zip that lies about its sizes is bounded', () => {
    const zip = Buffer.from(zipSync({ a: new Uint8Array(20_000_000) }));
    const lie = zip.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    zip.writeUInt32LE(10, lie + 24);
    assert.ok(findSecrets(zip, 'lie.zip').found.length === 0);
  });

  it('archives nested too deep are named', () => {
    assert.ok(
      findSecrets(gzipSync(gzipSync(gzipSync('x'.repeat(99)))), 'a').skipped.includes('archives are nested too deep'),
    );
  });

  it('a damaged zip is named', () => {
    const zip = Buffer.from(zipSync({ a: strToU8('x') })).subarray(0, 40);
    assert.deepEqual(findSecrets(zip, 'a.zip').skipped, ['a zip archive is damaged or encrypted']);
  });

  const tails = deflateRawSync('x').toString('latin1');
  const hostile: Record<string, string> = {
    colons: '://a:'.repeat(200_000),
    headers: `-----BEGIN PRIVATE KEY-----${'\n+'.repeat(200_000)}`,
    begins: '-----BEGIN RSA PRIVATE KEY-----\n'.repeat(20_000),
    assignments: 'password'.repeat(100_000),
    spaces: `secret${' '.repeat(500_000)}=`,
    quotes: `${'"+'.repeat(300_000)}${tails}`,
    jwt: 'eyJ'.repeat(300_000),
    digits: '1:AA'.repeat(200_000),
  };
  for (const [name, text] of Object.entries(hostile)) {
    it(`takes no more than linear time: ${name}`, () => {
      const bytes = Buffer.from(text, 'latin1');
      const half = costOf(bytes.subarray(0, bytes.length / 2));
      // Quadratic would be four times; 50 ms of slack for a small measure on a busy machine.
      assert.ok(costOf(bytes) < half * 3.5 + 50_000);
    });
  }
});
