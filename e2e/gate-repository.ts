/**
 * A git repository with a gate in a temporary directory, worked on by people with keys of their own
 * through the shipped command line.
 */
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateSigner } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { type Ended, HOLDFAST, run } from './holdfast.ts';

/** The Node that came with the repository, whatever else is installed. */
export const NODE = process.execPath;

export class GateRepository {
  readonly root: string;
  readonly #keys: string;

  constructor(t: { after(fn: () => void): void }) {
    const directory = temporaryDirectory(t);
    this.root = join(directory, 'shop');
    this.#keys = join(directory, 'keys');
    mkdirSync(this.root);
    this.git('init', '-q');
  }

  /** Makes a key and returns its public half, as a gate file spells it. */
  addPerson(id: string): string {
    generateSigner(this.keyOf(id));
    const spki = createPublicKey(readFileSync(this.keyOf(id))).export({ format: 'der', type: 'spki' });
    return spki.subarray(-32).toString('base64');
  }

  keyOf(person: string): string {
    return join(this.#keys, `${person}.key`);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  git(...args: readonly string[]): string {
    const identity = ['-c', 'user.name=Maker', '-c', 'user.email=maker@example.com', '-c', 'commit.gpgsign=false'];
    return execFileSync('git', [...identity, ...args], { cwd: this.root, encoding: 'utf8' });
  }

  commit(message: string): void {
    this.git('add', '--all');
    this.git('commit', '--quiet', '--message', message);
  }

  /** `holdfast gate …` as `person` runs it. */
  gate(person: string, ...args: readonly string[]): Promise<Ended> {
    return run(HOLDFAST, ['gate', ...args, '--directory', this.root, '--key', this.keyOf(person)]);
  }

  /** For commands that take no key. */
  look(...args: readonly string[]): Promise<Ended> {
    return run(HOLDFAST, ['gate', ...args, '--directory', this.root]);
  }

  /** One that has to work. */
  async does(person: string, ...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.gate(person, ...args);
    if (exitCode === 0) return stdout;
    throw new Error(`${person}: gate ${args.join(' ')} ended with ${exitCode}\n${stdout}${stderr}`);
  }

  /** The reviewer's way: the template, filled in, and the decision. */
  async approve(reviewer: string, packet: string): Promise<string> {
    await this.does(reviewer, 'review', packet, '--template');
    const file = `.gate/review-${packet}.yaml`;
    this.write(file, filledIn(this.read(file)));
    return this.does(reviewer, 'review', packet, '--approve');
  }
}

export function filledIn(template: string): string {
  return template
    .replaceAll('done: false', 'done: true')
    .replaceAll('result: ""', 'result: PASS')
    .replaceAll('reason: ""', 'reason: the packet asks for it')
    .replaceAll('residualRisk: ""', 'residualRisk: none that we know of')
    .replaceAll('plan: ""', 'plan: revert the commit');
}
