/** `holdfast evidence …`: the bundles of this host, read from disk and verified from their bytes. */
import { createPublicKey } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostPaths } from '@holdfast/api';
import { type BundleId, HoldfastError, parseBundleId } from '@holdfast/core';
import { parseVerifierKey } from '@holdfast/crypto';
import {
  type EvidenceKeys,
  exportDetached,
  inspectBundle,
  type Outcome,
  OUTCOMES,
  openEvidenceStore,
  verifyBundle,
  verifyEvidence,
} from '@holdfast/evidence';
import { hostKeys, type RootOption } from '../host-wiring.ts';
import { type CommandResult, formatTable } from '../output.ts';

interface ListOptions extends RootOption {
  readonly check?: string | undefined;
  readonly outcome?: string | undefined;
  readonly since?: string | undefined;
  readonly limit: number;
}

const store = (root: string) => openEvidenceStore(hostPaths(root).evidence);

/** The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the raw key (RFC 8410 §4). */
const RAW_KEY_BYTES = 32;

function readPublicKey(file: string): Uint8Array {
  try {
    const key = createPublicKey(readFileSync(file));
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('not an Ed25519 key');
    return new Uint8Array(key.export({ type: 'spki', format: 'der' }).subarray(-RAW_KEY_BYTES));
  } catch (cause) {
    throw new HoldfastError('the public key cannot be used', { code: 'ERR_KEY_INVALID', fields: { file }, cause });
  }
}

async function readBundle(root: string, bundle: string): Promise<{ bundleId: BundleId; bytes: Uint8Array }> {
  const bundleId = parseBundleId(bundle);
  const bytes = await store(root).get(bundleId);
  if (bytes !== undefined) return { bundleId, bytes };
  throw new HoldfastError('there is no such bundle on this host', {
    code: 'ERR_EVIDENCE_NOT_FOUND',
    fields: { bundleId },
  });
}

function parseOutcome(text: string): Outcome {
  const outcome = OUTCOMES.find((known) => known === text);
  if (outcome !== undefined) return outcome;
  throw new HoldfastError(`an outcome is one of ${OUTCOMES.join(', ')}`, { code: 'ERR_INPUT_INVALID' });
}

export async function list(options: ListOptions): Promise<CommandResult> {
  const { check, outcome, since, limit } = options;
  const { bundles, findings } = await store(options.root).list({
    limit,
    ...(check === undefined ? {} : { check }),
    ...(outcome === undefined ? {} : { outcome: parseOutcome(outcome) }),
    ...(since === undefined ? {} : { from: since }),
  });
  const rows = bundles.map((bundle) => [
    bundle.started,
    bundle.kind,
    bundle.check ?? bundle.operation ?? '',
    bundle.outcome,
    bundle.bundleId,
  ]);
  const damage = findings.map(({ path, code, reason }) => `DAMAGED ${path}: ${reason} [${code}]`);
  const text =
    bundles.length === 0 ? 'no evidence matches' : formatTable(['STARTED', 'KIND', 'ABOUT', 'OUTCOME', 'BUNDLE'], rows);
  return { data: { bundles, findings }, text: [text, ...damage].join('\n'), exitCode: findings.length === 0 ? 0 : 1 };
}

export async function show(bundle: string, { root }: RootOption): Promise<CommandResult> {
  const { bytes } = await readBundle(root, bundle);
  const { statement, keyId, digest } = verifyBundle(bytes, hostKeys(root));
  return {
    data: { digest, keyId, statement },
    text: `${JSON.stringify(statement.predicate, undefined, 2)}\nverified: key ${keyId}, SHA-256 ${digest}`,
  };
}

export async function verify(
  path: string | undefined,
  options: RootOption & { readonly key?: readonly string[] | undefined; readonly logKey?: string | undefined },
): Promise<CommandResult> {
  const { root, key, logKey } = options;
  const target = path ?? hostPaths(root).evidence;
  const ofKit = isKit(target);
  if (logKey !== undefined && !ofKit) {
    throw new HoldfastError('only a kit has a log: leave --log-key out', { code: 'ERR_INPUT_INVALID' });
  }
  if (logKey !== undefined) parseVerifierKey(logKey); // mistyped is the caller's mistake, not a finding about the kit
  const keys = key?.map(readPublicKey) ?? (ofKit ? undefined : hostKeys(root));
  const report = await verifyEvidence(target, {
    ...(keys === undefined ? {} : { keys }),
    ...(logKey === undefined ? {} : { logKey }),
  });
  const lines = report.steps.map(({ name, ok, detail }) => `${ok ? 'ok  ' : 'FAIL'}  ${name}: ${detail}`);
  const verdict = report.ok ? `verified: ${report.verified} bundle(s)` : 'NOT VERIFIED';
  return { data: report, text: [...lines, verdict].join('\n'), exitCode: report.ok ? 0 : 1 };
}

/** A kit brings its keys; the report says that they are to be compared. */
function isKit(path: string): boolean {
  try {
    readFileSync(join(path, 'keys.json'));
    return true;
  } catch {
    return false; // a bundle or a folder
  }
}

export async function exportBundle(
  bundle: string,
  options: RootOption & { readonly out: string; readonly detached?: boolean | undefined },
): Promise<CommandResult> {
  const { bundleId, bytes } = await readBundle(options.root, bundle);
  const keys = hostKeys(options.root);
  const verdict = inspectBundle(bytes, keys);
  if (!verdict.ok) throw verdict.error; // what does not verify is not passed on as evidence
  mkdirSync(options.out, { recursive: true });
  const files: Record<string, Uint8Array | string> =
    options.detached === true ? detachedFiles(bundleId, bytes, keys) : { [`${bundleId}.bundle.dsse.json`]: bytes };
  const written = Object.keys(files).map((name) => join(options.out, name));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(options.out, name), content);
  return { data: { written }, text: written.join('\n') };
}

function detachedFiles(bundleId: string, bytes: Uint8Array, keys: EvidenceKeys): Record<string, Uint8Array | string> {
  const { signed, signature, publicKeyPem } = exportDetached(bytes, keys);
  return { [`${bundleId}.signed`]: signed, [`${bundleId}.sig`]: signature, 'host.pem': publicKeyPem };
}
