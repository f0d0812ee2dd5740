import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import * as fc from 'fast-check';
import {
  formatVerifierKey,
  parseVerifierKey,
  signCheckpoint,
  signNote,
  verifyCheckpoint,
  verifyNote,
} from './checkpoint.ts';
import { signerFromSeed } from './ed25519.ts';
import { leafHash } from './merkle.ts';

interface Vectors {
  notes: { name: string; verifierKey: string; seed?: string; text: string; note: string }[];
}
const vectors = JSON.parse(readFileSync(new URL('../vectors/signed-note.json', import.meta.url), 'utf8')) as Vectors;

const signer = signerFromSeed(Buffer.alloc(32, 1));
const other = signerFromSeed(Buffer.alloc(32, 2));
const origin = 'holdfast.example/log/acme';
const root = leafHash(Buffer.from('x'));
const trust = { origin, publicKey: signer.publicKey };
const note = signCheckpoint({ origin, size: 42, root }, signer);
const isInvalid = (error: unknown): boolean => hasCode(error, 'ERR_SIGNATURE_INVALID');

describe('checkpoints', () => {
  for (const { name, verifierKey, seed, text, note: published } of vectors.notes) {
    it(`P-34: the published note of ${name} verifies`, () => {
      const key = parseVerifierKey(verifierKey);
      assert.equal(key.origin, name);
      assert.equal(verifyNote(published, name, key.publicKey), text);
      assert.equal(formatVerifierKey(name, key.publicKey), verifierKey);
    });
    if (seed !== undefined) {
      it(`P-34: signing as ${name} gives the published note, byte for byte`, () => {
        assert.equal(signNote(text, name, signerFromSeed(Buffer.from(seed, 'base64'))), published);
      });
    }
  }

  it('P-34: gives back size and root', () => {
    const verified = verifyCheckpoint(note, trust);
    assert.equal(verified.size, 42);
    assert.deepEqual(Buffer.from(verified.root), Buffer.from(root));
  });

  it('P-34: has the lines of tlog-checkpoint', () => {
    assert.deepEqual(note.split('\n').slice(0, 4), [origin, '42', Buffer.from(root).toString('base64'), '']);
  });

  it("P-34: ignores witnesses' signatures and signed extension lines", () => {
    const text = `${origin}\n42\n${Buffer.from(root).toString('base64')}\nan extension\n`;
    const witness = signNote(text, 'witness.example', other).slice(text.length + 1);
    assert.equal(verifyCheckpoint(signNote(text, origin, signer) + witness, trust).size, 42);
  });

  const bodies = (text: string): string => signNote(text, origin, signer);
  const encoded = Buffer.from(root).toString('base64');
  const refused: { name: string; note: string }[] = [
    { name: 'nothing', note: '' },
    { name: 'a text without signatures', note: `${origin}\n42\n${encoded}\n` },
    { name: 'a text with an empty signature block', note: `${origin}\n42\n${encoded}\n\n` },
    { name: 'a signature by another key', note: signCheckpoint({ origin, size: 42, root }, other) },
    { name: 'another origin', note: signCheckpoint({ origin: 'other.example', size: 42, root }, signer) },
    { name: 'another origin under our name', note: bodies(`other.example\n42\n${encoded}\n`) },
    { name: 'a size with a leading zero', note: bodies(`${origin}\n042\n${encoded}\n`) },
    { name: 'a negative size', note: bodies(`${origin}\n-1\n${encoded}\n`) },
    { name: 'a size beyond safe integers', note: bodies(`${origin}\n9007199254740992\n${encoded}\n`) },
    { name: 'no root', note: bodies(`${origin}\n42\n`) },
    { name: 'a short root', note: bodies(`${origin}\n42\nAAAA\n`) },
    { name: 'a root with stray bits', note: bodies(`${origin}\n42\n${encoded.slice(0, -2)}l=\n`) },
    { name: 'an empty extension line', note: bodies(`${origin}\n42\n${encoded}\n\nx\n`) },
    { name: 'text after the signatures', note: `${note}x` },
    { name: 'a carriage return', note: note.replaceAll('\n', '\r\n') },
    { name: 'a malformed line beside a good one', note: `${note}\u2014 witness\n` },
    { name: 'more signatures than anyone has', note: note + `\u2014 w AAAAAAAA\n`.repeat(100) },
    { name: 'a very long note', note: `${'x'.repeat(70_000)}\n${note}` },
  ];
  for (const { name, note: text } of refused) {
    it(`P-34: refuses ${name}`, () => {
      assert.throws(() => verifyCheckpoint(text, trust), isInvalid);
    });
  }

  it('P-34: every changed bit anywhere in a signed checkpoint is refused', () => {
    const bytes = Buffer.from(note);
    for (let index = 0; index < bytes.length; index += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const tampered = Buffer.from(bytes);
        tampered[index] = (tampered[index] ?? 0) ^ (1 << bit);
        assert.throws(() => verifyCheckpoint(tampered.toString(), trust), isInvalid, `byte ${index}, bit ${bit}`);
      }
    }
  });

  it('P-34: hostile text gives a coded error and nothing else', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, block) => {
        assert.throws(() => verifyCheckpoint(`${text}\n\n${block}\n`, trust), isInvalid);
      }),
    );
  });

  const key = formatVerifierKey(origin, signer.publicKey);
  for (const text of [
    '',
    'a',
    key.slice(0, -1),
    key.replace('acme', 'acmf'),
    `${key}=`,
    key.replace('+', ' '),
    `x${key}`,
  ]) {
    it(`P-34: refuses the verifier key ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseVerifierKey(text),
        (error) => hasCode(error, 'ERR_KEY_INVALID'),
      );
    });
  }

  it('P-34: signs no origin that would break the format', () => {
    for (const bad of ['', 'a b', 'a+b', 'a\nb']) {
      assert.throws(() => signCheckpoint({ origin: bad, size: 1, root }, signer), TypeError);
    }
  });
});
