/**
 * "Gate your repository in ten minutes", followed literally: every shell block of the guide is run in a
 * copy of each example, in the guide's order. What the guide asks people to fill in is filled in between.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { signerFromKeyObject } from '@holdfast/crypto';
import { createPrivateKey } from 'node:crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { filledIn } from './gate-repository.ts';
import { HOLDFAST, REPOSITORY } from './holdfast.ts';

const GUIDE = readFileSync(join(REPOSITORY, 'docs/guides/gate.md'), 'utf8');
const BLOCKS = [...GUIDE.matchAll(/^```(sh|yaml)\n([^]*?)^```$/gm)].map(([, language = '', text = '']) => ({
  language,
  text,
}));

class Follower {
  readonly #directory: string;
  #environment: Record<string, string | undefined>;

  constructor(directory: string, home: string) {
    this.#directory = directory;
    this.#environment = {
      HOME: home,
      // The system's own tools first: a launcher in somebody's home directory looks for its tools in HOME.
      PATH: `${dirname(HOLDFAST)}:${dirname(process.execPath)}:/usr/bin:/bin:${process.env['PATH'] ?? ''}`,
      LANG: 'C.UTF-8',
      GIT_CONFIG_NOSYSTEM: '1',
      ...Object.fromEntries(
        ['AUTHOR', 'COMMITTER'].flatMap((role) => [
          [`GIT_${role}_NAME`, 'Ada Maker'],
          [`GIT_${role}_EMAIL`, 'maker@example.com'],
        ]),
      ),
    };
  }

  /** As one shell session would: what a block exports, the next one has. */
  run(block: string): string {
    const variables = join(this.#environment['HOME'] ?? '', 'variables');
    const script = `${block}\nenv -0 > "${variables}"\n`;
    const options = { cwd: this.#directory, env: this.#environment, encoding: 'utf8', stdio: 'pipe' } as const;
    const printed = execFileSync('/bin/bash', ['-eu', '-o', 'pipefail', '-c', script], options);
    const pairs = readFileSync(variables, 'utf8').split('\0').filter(Boolean);
    this.#environment = Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
    return printed;
  }

  fillInPeople(yaml: string): void {
    const path = join(this.#directory, 'gate.yaml');
    const people = yaml.replaceAll(/PUBLIC-KEY-OF-([A-Z]+)/g, (_all, name: string) =>
      this.#publicKey(name.toLowerCase()),
    );
    const text = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      text.replace(/^people:\n(?: .*\n)+/m, () => people),
    );
  }

  #publicKey(person: string): string {
    const pem = readFileSync(join(this.#environment['KEYS'] ?? '', `${person}.key`));
    return Buffer.from(signerFromKeyObject(createPrivateKey(pem)).publicKey).toString('base64');
  }

  fillInReviews(): void {
    const records = join(this.#directory, '.gate');
    if (!existsSync(records)) return;
    for (const name of readdirSync(records).filter((file) => file.startsWith('review-'))) {
      const path = join(records, name);
      writeFileSync(path, filledIn(readFileSync(path, 'utf8')));
    }
  }
}

describe('gate: the guide, followed literally', () => {
  for (const language of ['node', 'go', 'rust', 'python']) {
    it(`R-01, R-19: from \`gate init\` to a verified GO in the ${language} example`, (t) => {
      const temporary = temporaryDirectory(t);
      const [directory, home] = [join(temporary, 'greeter'), join(temporary, 'home')];
      mkdirSync(join(home, '.config'), { recursive: true });
      cpSync(join(REPOSITORY, 'examples/gate', language), directory, { recursive: true });
      const follower = new Follower(directory, home);
      follower.run('git init --quiet');
      let last = '';
      for (const block of BLOCKS) {
        if (block.language === 'yaml') follower.fillInPeople(block.text);
        else last = follower.run(block.text);
        follower.fillInReviews();
      }
      assert.match(last, /^GO {2}.*release\.gate/m);
      assert.ok(existsSync(join(home, '.config/holdfast/report.html')));
    });
  }
});
