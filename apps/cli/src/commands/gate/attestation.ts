/** `holdfast gate attestation`: what somebody else signed about files, verified offline under what was pinned. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { type InTotoStatement, readAttestation, verifySigstoreBundle } from '@holdfast/gate';
import { type CommandResult, formatTable } from '../../output.ts';

interface AttestationOptions {
  readonly artifact?: readonly string[] | undefined;
  readonly key?: readonly string[] | undefined;
  readonly trustedRoot?: string | undefined;
  readonly identity?: string | undefined;
  readonly issuer?: string | undefined;
  readonly predicateType?: string | undefined;
}

/** Digests that count; others in a statement are for people. */
const ALGORITHMS = ['sha256', 'sha512'] as const;
const EXIT_NO = 20;

export function attestation(file: string, options: AttestationOptions): CommandResult {
  const { statement, signedBy } = verified(read(file), options);
  const { predicateType } = statement;
  const isOfType = options.predicateType === undefined || options.predicateType === predicateType;
  const artifacts = (options.artifact ?? []).map((path) => ({ path, attested: isSubject(statement, read(path)) }));
  const holds = isOfType && artifacts.every(({ attested }) => attested);
  const subjects = statement.subject.map(({ name, digest }) => [
    name ?? '',
    Object.entries(digest)
      .map(([algorithm, value]) => `${algorithm}:${value}`)
      .join(' '),
  ]);
  const text = [
    `signed by ${signedBy.join(', ')}: ${predicateType}`,
    ...(isOfType ? [] : [`which is not ${options.predicateType ?? ''}`]),
    formatTable(['subject', 'digest'], subjects),
    ...artifacts.map(({ path, attested }) => `${attested ? '✔' : '✘ NOT among the subjects:'} ${path}`),
  ].join('\n');
  return { data: { holds, signedBy, statement, artifacts }, text, exitCode: holds ? 0 : EXIT_NO };
}

function verified(
  bytes: Uint8Array,
  { key, trustedRoot, identity, issuer }: AttestationOptions,
): { readonly statement: InTotoStatement; readonly signedBy: readonly string[] } {
  if (key !== undefined && trustedRoot === undefined)
    return readAttestation(bytes, { keys: new Map(key.map((path) => [path, read(path).toString('utf8')])) });
  if (key !== undefined || trustedRoot === undefined || !identity || !issuer)
    throw new HoldfastError(
      'say whom you believe: --key <pem> as often as needed, or --trusted-root with --identity and --issuer',
      { code: 'ERR_CLI_USAGE' },
    );
  return { statement: verifySigstoreBundle(bytes, read(trustedRoot), { identity, issuer }), signedBy: [identity] };
}

const isSubject = ({ subject }: InTotoStatement, bytes: Uint8Array): boolean =>
  ALGORITHMS.some((algorithm) => {
    const own = createHash(algorithm).update(bytes).digest('hex');
    return subject.some(({ digest }) => digest[algorithm] === own);
  });

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('a file cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file }, cause });
  }
}
