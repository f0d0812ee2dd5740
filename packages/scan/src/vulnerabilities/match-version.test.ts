import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ECOSYSTEMS, type Ecosystem } from '../packages/package.ts';
import { cvss3BaseScore } from './cvss.ts';
import { matchVersion } from './match-version.ts';
import { type OsvAffected, OsvEntrySchema } from './osv-entry.ts';
import { comparePep440 } from './pep440.ts';

const vectors = z
  .record(z.enum(ECOSYSTEMS).or(z.literal('source')), z.unknown())
  .parse(JSON.parse(readFileSync(new URL('vectors/advisories.json', import.meta.url), 'utf8')));

function match(ecosystem: Ecosystem, id: string, version: string): string {
  const entry = z
    .array(OsvEntrySchema)
    .parse(vectors[ecosystem])
    .find((one) => one.id === id);
  return (
    (entry?.affected ?? []).map((one) => matchVersion(ecosystem, version, one)).find((one) => one !== 'no') ?? 'no'
  );
}

const BOUNDARIES: [Ecosystem, string, string, 'yes' | 'no'][] = [
  ['npm', 'GHSA-jf85-cpcp-j695', '4.17.11', 'yes'],
  ['npm', 'GHSA-jf85-cpcp-j695', '4.17.12-rc.1', 'yes'],
  ['npm', 'GHSA-jf85-cpcp-j695', '4.17.12', 'no'],
  ['npm', 'GHSA-xvch-5gv4-984h', '0.2.3', 'yes'],
  ['npm', 'GHSA-xvch-5gv4-984h', '0.2.4', 'no'],
  ['npm', 'GHSA-xvch-5gv4-984h', '1.0.0', 'yes'],
  ['npm', 'GHSA-xvch-5gv4-984h', '1.2.5', 'yes'],
  ['npm', 'GHSA-xvch-5gv4-984h', '1.2.6', 'no'],
  ['Go', 'GO-2022-1059', '0.3.7', 'yes'],
  ['Go', 'GO-2022-1059', '0.3.8-0.20220927164204-1243e6a3a5b5', 'yes'],
  ['Go', 'GO-2022-1059', '0.0.0-20170915032832-14c0d48ead0c', 'yes'],
  ['Go', 'GO-2022-1059', '0.3.8', 'no'],
  ['crates.io', 'RUSTSEC-2020-0071', '0.1.43', 'yes'],
  ['crates.io', 'RUSTSEC-2020-0071', '0.2.0', 'no'],
  ['crates.io', 'RUSTSEC-2020-0071', '0.2.22', 'yes'],
  ['crates.io', 'RUSTSEC-2020-0071', '0.2.23', 'no'],
  ['PyPI', 'GHSA-j8r2-6x86-q33q', '2.2.1', 'no'],
  ['PyPI', 'GHSA-j8r2-6x86-q33q', '2.3', 'yes'],
  ['PyPI', 'GHSA-j8r2-6x86-q33q', '2.31.0.dev1', 'yes'],
  ['PyPI', 'GHSA-j8r2-6x86-q33q', '2.31', 'no'],
];
for (const [ecosystem, id, version, want] of BOUNDARIES) {
  test(`R-25: ${id} affects ${version}: ${want}`, () => assert.equal(match(ecosystem, id, version), want));
}

const npm = (affected: Omit<OsvAffected, 'package'>, version: string): string => matchVersion('npm', version, affected);
const events = (...list: NonNullable<OsvAffected['ranges']>[number]['events']): Omit<OsvAffected, 'package'> => ({
  ranges: [{ type: 'SEMVER', events: list }],
});

test('R-25: the last affected version is affected, the next is not', () => {
  const range = events({ introduced: '1.0.0' }, { last_affected: '1.2.3' });
  assert.deepEqual(
    ['0.9.9', '1.0.0', '1.2.3', '1.2.4'].map((version) => npm(range, version)),
    ['no', 'yes', 'yes', 'no'],
  );
});

test('R-25: events come in any order, and a version may be introduced again', () => {
  const range = events({ fixed: '3.0.0' }, { introduced: '2.0.0' }, { fixed: '1.0.0' }, { introduced: '0' });
  assert.deepEqual(
    ['0.5.0', '1.5.0', '2.5.0', '3.0.0'].map((version) => npm(range, version)),
    ['yes', 'no', 'yes', 'no'],
  );
});

test('R-25: a limit ends a range, a listed version is affected outside of all ranges', () => {
  const range = events({ introduced: '0' }, { limit: '2.0.0' });
  assert.deepEqual(
    ['1.9.9', '2.0.0'].map((version) => npm(range, version)),
    ['yes', 'no'],
  );
  assert.equal(npm({ ...events({ introduced: '5.0.0' }), versions: ['1.0.0'] }, '1.0.0'), 'yes');
});

test('R-25: what cannot be compared is unknown, never unaffected', () => {
  assert.equal(npm(events({ introduced: '1.0.0' }), 'not-a-version'), 'unknown');
  assert.equal(npm(events({ introduced: 'nonsense' }), '1.0.0'), 'unknown');
  assert.equal(npm({ ranges: [{ type: 'GIT', events: [{ introduced: '0' }] }] }, '1.0.0'), 'unknown');
  assert.equal(npm({}, '1.0.0'), 'unknown');
});

/** PEP 440, "Summary of permitted suffixes and relative ordering", and its examples of epochs and locals. */
const ORDERED = [
  '1.dev0', '1.0.dev456', '1.0a1', '1.0a2.dev456', '1.0a12.dev456', '1.0a12', '1.0b1.dev456', '1.0b2',
  '1.0b2.post345.dev456', '1.0b2.post345', '1.0rc1.dev456', '1.0rc1', '1.0', '1.0+abc.5', '1.0+abc.7', '1.0+5',
  '1.0.post456.dev34', '1.0.post456', '1.0.15', '1.1.dev1', '2013.10', '1!0.5',
]; // prettier-ignore
test('PEP 440: its own order holds for every pair', () => {
  for (const [index, a] of ORDERED.entries()) {
    for (const [other, b] of ORDERED.entries()) {
      assert.equal(Math.sign(comparePep440(a, b) ?? Number.NaN), Math.sign(index - other), `${a} and ${b}`);
    }
  }
});
test('PEP 440: spellings of one version are equal', () => {
  for (const [a, b] of [
    ['1.0', '1.0.0'],
    ['1.1RC1', '1.1c1'],
    ['v1.0-alpha_1', '1.0a1'],
    ['1.0-1', '1.0.post1'],
    ['1.0-r4', '1.0.post4'],
    ['1.2a', '1.2a0'],
    ['1.0+ubuntu-1', '1.0+ubuntu.1'],
  ] as const) {
    assert.equal(comparePep440(a, b), 0, `${a} and ${b}`);
  }
});
test('PEP 440: what is no version has no order', () => {
  for (const text of ['', 'latest', '1.0.0.x', '1..0', `1.${'0'.repeat(300)}`])
    assert.equal(comparePep440(text, '1'), null);
});

test('CVSS 3.1: the scores of its own examples', () => {
  const base = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/';
  assert.equal(cvss3BaseScore(`${base}C:H/I:H/A:H`), 9.8);
  assert.equal(cvss3BaseScore(`${base}C:N/I:N/A:H`), 7.5);
  assert.equal(cvss3BaseScore('CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N'), 6.1);
  assert.equal(cvss3BaseScore(`${base}C:N/I:N/A:N`), 0);
  assert.equal(cvss3BaseScore('CVSS:4.0/AV:N'), null);
  assert.equal(cvss3BaseScore('CVSS:3.1/AV:X'), null);
});
