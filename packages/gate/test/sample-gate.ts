/** A small gate with two people who have keys, and records of it, for tests of the log and the bundle. */
import { encodeBase64, sha256Hex, type Signer, signerFromSeed } from '@holdfast/crypto';
import { stringify } from 'yaml';
import type { NewRecord, PredicateOf } from '../src/index.ts';

export const signerOf = (name: string): Signer => signerFromSeed(Buffer.from(sha256Hex(`seed of ${name}`), 'hex'));
export const ANN = signerOf('ann');
export const BOB = signerOf('bob');
export const SOURCE = { commit: 'a'.repeat(40), tree: 'b'.repeat(64), dirtyFiles: 0 };
export const AT = '2026-01-02T03:04:05.678Z';
export const GATE_ID = 'shop';

const person = (id: string, keys: readonly string[]) => ({
  id,
  name: id,
  contact: `${id}@example.com`,
  roles: id === 'dora' ? ['issuer'] : ['implementer', 'reviewer', 'approver'],
  keys,
  git: [`${id}@example.com`],
});

export interface SampleOptions {
  readonly id?: string;
  /** Public keys by person. */
  readonly keys?: Readonly<Record<string, readonly Uint8Array[]>>;
}

const KEYS = {
  ann: [ANN.publicKey],
  bob: [BOB.publicKey],
  cleo: [signerOf('cleo').publicKey],
  dora: [signerOf('dora').publicKey],
};

export function gateText({ id = GATE_ID, keys = KEYS }: SampleOptions = {}): string {
  return stringify({
    version: 1,
    id,
    title: 'Shop',
    release: '1.0.0',
    resource: 'pkg:npm/shop',
    base: 'v0.9.0',
    scope: { surfaces: [{ id: 'all', title: 'All', paths: ['src/**'], tests: ['*'] }] },
    rubric: {
      P0: [{ id: 'p0', text: 'leak' }],
      P1: [{ id: 'p1', text: 'wrong' }],
      P2: [{ id: 'p2', text: 'ugly' }],
    },
    toolchain: [{ name: 'node', argv: ['node', '--version'], release: 'v26.10.0' }],
    commands: [
      { id: 'unit', kind: 'test', argv: ['npm', 'test'], report: { format: 'tap', from: 'stdout' }, floor: 1 },
    ],
    packets: ['00', '01'].map((packet) => ({
      id: packet,
      title: `Packet ${packet}`,
      checklist: ['all read'],
      commands: packet === '00' ? [] : ['unit'],
      implementer: 'ann',
      reviewer: 'bob',
      secondReviewer: 'cleo',
    })),
    milestone: ['unit'],
    people: Object.entries(keys).map(([name, publicKeys]) => person(name, publicKeys.map(encodeBase64))),
  });
}

const header = (author: string, revision: number, gate = GATE_ID) => ({ gate, revision, author, at: AT });

export function freeze(revision = 1, author = 'ann', options: SampleOptions = {}): NewRecord<'freeze'> {
  const text = gateText(options);
  return {
    kind: 'freeze',
    predicate: {
      ...header(author, revision, options.id),
      gateFile: { digest: sha256Hex(text), text },
      source: SOURCE,
    },
  };
}

/** A record that says nothing but `text`. */
export function note(text: string, author = 'ann', revision = 1): NewRecord<'residual-risk'> {
  const predicate: PredicateOf<'residual-risk'> = {
    ...header(author, revision),
    id: 'RISK-1',
    text,
    owner: author,
    due: '2027-01-01',
    status: 'open',
    waivers: 0,
  };
  return { kind: 'residual-risk', predicate };
}

export function submit(author = 'ann', revision = 1): NewRecord<'transition'> {
  return {
    kind: 'transition',
    predicate: { ...header(author, revision), packet: '00', event: 'submit', source: SOURCE, reason: null },
  };
}
