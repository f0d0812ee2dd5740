/**
 * R-24: recall and false positives on made-up secrets of every kind and on things that look like some,
 * and throughput on clean text against SHA-256 of the same bytes. Beside it, when
 * `HOLDFAST_GITLEAKS_RULES` names a rule file of gitleaks (its `config/gitleaks.toml`), the same corpus
 * through those rules: keyword, pattern and entropy, without gitleaks' own decoding and allow lists.
 */
import { costOf, median } from '@holdfast/testing';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';

import type { Figure } from '../../../scripts/bench.ts';
import { openGitRepository, scanSecrets } from '../src/index.ts';
import { findSecrets } from '../src/secrets/find-secrets.ts';
import { entropyBits } from '../src/secrets/plausibility.ts';
import { Maker, negatives, POSITIVES } from '../test/secret-corpus.ts';

const SEEDS = 200;
const ROUNDS = 7;
const ROOT = join(import.meta.dirname, '../../..');

interface Detector {
  readonly name: string;
  finds(text: string, path: string): boolean;
}

const HOLDFAST: Detector = {
  name: 'holdfast',
  finds: (text, path) => findSecrets(Buffer.from(text), path).found.length > 0,
};

interface GitleaksRule {
  readonly id: string;
  readonly regex?: string;
  readonly entropy?: number;
  readonly keywords?: readonly string[];
}

/** RE2 to ECMAScript: a flag in the middle holds to the end of its group, which is the end of the pattern nearly always. */
function translate(pattern: string): RegExp | null {
  const body = pattern.replaceAll(String.raw`\z`, '$');
  const at = body.indexOf('(?i)');
  if (at === 0) return compile(body.slice(4).replaceAll('(?i)', ''), 'gim');
  if (at < 0) return compile(body, 'gm');
  return compile(body.replaceAll('(?i)', ''), 'gim');
}

function compile(body: string, flags: string): RegExp | null {
  try {
    return new RegExp(body, flags);
  } catch {
    return null;
  }
}

function readGitleaksRules(path: string): Detector {
  const { rules } = parse(readFileSync(path, 'utf8')) as unknown as { rules: readonly GitleaksRule[] };
  const compiled = rules.flatMap((rule) => {
    const pattern = rule.regex === undefined ? null : translate(rule.regex);
    return pattern === null ? [] : [{ ...rule, pattern }];
  });
  const finds = (text: string): boolean =>
    compiled.some(({ keywords = [], pattern, entropy = 0 }) => {
      if (keywords.length > 0 && !keywords.some((word) => text.toLowerCase().includes(word))) return false;
      return [...text.matchAll(pattern)].some(
        (match) => entropyBits(match.slice(1).find(Boolean) ?? match[0]) >= entropy,
      );
    });
  return { name: `gitleaks' rules (${compiled.length})`, finds };
}

/** What a secret may be wrapped in; each form is applied to one token. */
const FORMS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  base64: (text) => `data: ${Buffer.from(text).toString('base64')}`,
  'split in two': (text) => `"${text.slice(0, 14)}" +\n  "${text.slice(14)}"`,
  'UTF-16': (text) => Buffer.from(`\uFEFF${text}`, 'utf16le').toString('latin1'),
};

/** Prints what was missed. @returns shares of what was found of secrets, and of what only looks like one */
function measureAccuracy(detector: Detector): { recall: number; falsePositives: number } {
  const missed = new Map<string, number>();
  for (const [kind, make] of Object.entries(POSITIVES)) {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { text, path = 'src/a.ts' } = make(new Maker(seed));
      if (!detector.finds(text, path)) missed.set(kind, (missed.get(kind) ?? 0) + 1);
    }
  }
  const total = Object.keys(POSITIVES).length * SEEDS;
  const misses = [...missed.values()].reduce((sum, count) => sum + count, 0);
  console.log(`R-24 recall, ${detector.name}: ${(100 * (1 - misses / total)).toFixed(2)} % of ${total}`);
  for (const [kind, count] of missed) console.log(`  missed ${((100 * count) / SEEDS).toFixed(1)} % of: ${kind}`);

  let wrong = 0;
  let harmless = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    for (const { text, path = 'a' } of negatives(new Maker(seed))) {
      harmless += 1;
      if (detector.finds(text, path)) wrong += 1;
    }
  }
  console.log(`R-24 false positives, ${detector.name}: ${((100 * wrong) / harmless).toFixed(2)} % of ${harmless}`);
  const forms = Object.entries(FORMS).map(([form, wrap]) => {
    const found = Array.from({ length: SEEDS }, (_, seed) => new Maker(seed).checked('ghp')).filter((token) =>
      detector === HOLDFAST
        ? findSecrets(Buffer.from(wrap(token), form === 'UTF-16' ? 'latin1' : 'utf8'), 'a').found.length > 0
        : detector.finds(wrap(token), 'a'),
    );
    return `${form} ${((100 * found.length) / SEEDS).toFixed(0)} %`;
  });
  console.log(`  one token, ${detector.name}: ${forms.join(', ')}`);
  return { recall: 1 - misses / total, falsePositives: wrong / harmless };
}

function readTrackedFiles(): Buffer[] {
  const names = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1_048_576 });
  return names.split('\0').flatMap((name) => {
    try {
      return name === '' ? [] : [readFileSync(join(ROOT, name))];
    } catch {
      return []; // deleted, not yet committed
    }
  });
}

const PROSE = Buffer.from('The quick brown fox returns value(index) to its caller.\n'.repeat(200_000));

async function measureThroughput(name: string, files: readonly Buffer[]): Promise<Figure> {
  const megabytes = files.reduce((sum, { length }) => sum + length, 0) / 1e6;
  const scanS: number[] = [];
  const hashS: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    scanS.push((await costOf(() => files.forEach((bytes) => findSecrets(bytes, 'a')))).cpuS);
    hashS.push((await costOf(() => files.forEach((bytes) => hash('sha256', bytes)))).cpuS);
  }
  const rate = (seconds: readonly number[]): string => `${Math.round(megabytes / median(seconds))} MB/s`;
  return {
    row: 'R-27',
    name: `looking for secrets in ${name}`,
    measured: rate(scanS),
    against: `SHA-256 of the same bytes, ${rate(hashS)}`,
    ratio: median(hashS) / median(scanS),
    wanted: null,
  };
}

async function measureWholeScan(): Promise<Figure> {
  const signal = AbortSignal.timeout(300_000);
  const repository = await openGitRepository(ROOT, signal);
  let covered = '';
  const { wallS } = await costOf(async () => {
    const { coverage } = await scanSecrets({ repository }, { nowMs: Date.now() }, signal);
    const { files, bytes, commits } = coverage;
    covered = `${files} files, ${(bytes / 1e6).toFixed(1)} MB, ${commits} commits`;
  });
  const { wallS: gitS } = await costOf(() =>
    execFileSync('git', ['log', '--all', '--raw', '-m', '-z'], { cwd: ROOT, maxBuffer: 1_073_741_824 }),
  );
  return {
    row: 'R-27',
    name: 'scan of this repository with its whole history',
    measured: `${wallS.toFixed(2)} s for ${covered}`,
    against: `git log --all --raw, ${gitS.toFixed(2)} s`,
    ratio: wallS / gitS,
    wanted: null,
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

export async function bench(): Promise<readonly Figure[]> {
  const { recall, falsePositives } = measureAccuracy(HOLDFAST);
  const path = process.env['HOLDFAST_GITLEAKS_RULES'];
  const peer = path === undefined ? null : measureAccuracy(readGitleaksRules(path));
  const against = (share: number | undefined): string =>
    share === undefined ? 'no rule file of gitleaks was given' : `rules of gitleaks, ${percent(share)}`;
  const common = { row: 'R-24', wanted: null } as const;
  return [
    {
      ...common,
      name: 'secrets found of those planted',
      measured: percent(recall),
      against: against(peer?.recall),
      ratio: peer === null ? null : recall / peer.recall,
    },
    {
      ...common,
      name: 'findings among what only looks like a secret',
      measured: percent(falsePositives),
      against: against(peer?.falsePositives),
      ratio: peer === null || peer.falsePositives === 0 ? null : falsePositives / peer.falsePositives,
    },
    await measureThroughput('this repository', readTrackedFiles()),
    await measureThroughput('text without a literal', [PROSE]),
    await measureWholeScan(),
  ];
}
