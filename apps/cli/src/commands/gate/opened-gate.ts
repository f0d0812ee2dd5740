/**
 * What every gate command starts from: the gate file, the repository, the records and what they come
 * to; and, for those that sign, whose key it is. Nothing is decided here.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { loadSigner, type Signer } from '@holdfast/crypto';
import {
  type Board,
  deriveBoard,
  type Gate,
  type GateLog,
  keysOf,
  openGateLog,
  openSourceTree,
  type ParsedGate,
  parseGate,
  type Person,
  type Source,
  type SourceTree,
} from '@holdfast/gate';

export interface GateOptions {
  readonly directory: string;
  /** From there. */
  readonly file: string;
  readonly json?: boolean | undefined;
}

export interface SigningOptions extends GateOptions {
  readonly key?: string | undefined;
}

/** Nobody writes a longer one; the parser takes no more than this. */
const MAX_GATE_FILE_BYTES = 16_000_000;

export interface GateFile {
  readonly path: string;
  readonly text: string;
  readonly parsed: ParsedGate;
}

/** @throws `ERR_GATE_FILE` when there is none */
export function readGateFile(options: GateOptions): GateFile {
  const path = resolve(options.directory, options.file);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new HoldfastError('there is no gate file here: `holdfast gate init` writes one to start from', {
      code: 'ERR_GATE_FILE',
      fields: { file: path },
      cause,
    });
  }
  if (bytes.length > MAX_GATE_FILE_BYTES)
    throw new HoldfastError('the gate file is too large', { code: 'ERR_GATE_FILE', fields: { file: path } });
  const text = bytes.toString('utf8');
  return { path, text, parsed: parseGate(text) };
}

/** @throws `ERR_GATE_FILE` when lint has errors */
export function validGate({ path, parsed }: GateFile): Gate {
  if (parsed.gate !== null) return parsed.gate;
  const errors = parsed.problems.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  throw new HoldfastError(`the gate file has ${errors.length} errors: \`holdfast gate lint\` lists them`, {
    code: 'ERR_GATE_FILE',
    fields: { file: path, line: first?.line ?? 0, first: first?.message ?? '' },
  });
}

export interface OpenedGate {
  readonly file: GateFile;
  /** As the file has it now; what counts is `board.freeze`. */
  readonly gate: Gate;
  readonly tree: SourceTree;
  readonly log: GateLog;
  readonly board: Board;
  /** The tree as it is now. */
  readonly source: Source;
}

/**
 * @param ofAppends ends the waiting of appends for the lock; another one where an interruption has to be recorded
 * @throws `ERR_GATE_FILE`, `ERR_GATE_SOURCE`, `ERR_GATE_LOG_INVALID`
 */
export async function openGate(
  options: GateOptions,
  signal: AbortSignal,
  ofAppends: AbortSignal = signal,
): Promise<OpenedGate> {
  const file = readGateFile(options);
  const gate = validGate(file);
  const tree = await openSourceTree(resolve(options.directory));
  const log = await openGateLog(join(tree.root, gate.records, gate.id), {
    gateId: gate.id,
    create: true,
    signal: ofAppends,
  });
  const source = await tree.read(gate.records, signal);
  return { file, gate, tree, log, board: deriveBoard(log.records), source };
}

export interface Identity {
  readonly person: Person;
  readonly signer: Signer;
}

/** Where the key is: the option, `$HOLDFAST_GATE_KEY`, or the usual place. */
export function keyPath(options: { readonly key?: string | undefined }): string {
  const named = options.key ?? process.env['HOLDFAST_GATE_KEY'];
  return named === undefined || named === '' ? join(homedir(), '.config/holdfast/gate.key') : resolve(named);
}

/**
 * Who holds the key, by the frozen gate file, or before the first freeze by the file as it is.
 *
 * @throws `ERR_KEY_INVALID` for a file that is no key, `ERR_GATE_KEY` for one of nobody here
 */
export function identify({ gate, board }: Pick<OpenedGate, 'gate' | 'board'>, options: SigningOptions): Identity {
  const path = keyPath(options);
  const signer = loadSigner(path);
  const known = board.freeze?.gate ?? gate;
  const owner = keysOf(known).find(({ publicKey }) => Buffer.compare(publicKey, signer.publicKey) === 0)?.person;
  const person = known.people.find(({ id }) => id === owner);
  if (person !== undefined) return { person, signer };
  throw new HoldfastError('your key belongs to nobody in the gate file', {
    code: 'ERR_GATE_KEY',
    fields: { key: path, keyId: signer.keyId, revision: board.freeze?.revision ?? 0 },
  });
}
