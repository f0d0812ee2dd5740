/** `holdfast baseline …`: capture what is good, sign it, install it, compare it. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { hostPaths } from '@holdfast/api';
import { loadTrust } from '@holdfast/agent';
import {
  captureBaseline,
  diffBaselines,
  parseBaseline,
  formatProblems,
  signBaseline,
  verifyBaseline,
} from '@holdfast/compliance';
import { HoldfastError } from '@holdfast/core';
import { type BaselineSignerOptions, loadBaselineSigner } from '../baseline-signer.ts';
import { loadHostBaseline, openHost, requireRoot, isSimulated, type RootOption } from '../host-wiring.ts';
import { type CommandResult } from '../output.ts';

interface CaptureOptions extends RootOption {
  readonly name: string;
  readonly unit?: readonly string[] | undefined;
  readonly loggingUnit?: readonly string[] | undefined;
  readonly file?: readonly string[] | undefined;
  readonly certificate?: readonly string[] | undefined;
  /** `address:port`. */
  readonly certificatePort?: readonly string[] | undefined;
  readonly timeSource?: readonly string[] | undefined;
  readonly heal?: boolean | undefined;
  readonly out?: string | undefined;
}

/** systemd's own journal: on every host that has systemd. */
const DEFAULT_LOGGING_UNITS = ['systemd-journald.service'];

export async function capture(options: CaptureOptions, signal: AbortSignal): Promise<CommandResult> {
  if (!isSimulated(options.root)) requireRoot('capturing a baseline');
  const host = await openHost(options.root);
  const { unit, file, certificate, certificatePort, timeSource } = options;
  const yaml = await captureBaseline(
    host,
    {
      name: options.name,
      nowMs: host.clock.wallMs(),
      remediation: options.heal === true ? 'auto' : 'ask',
      firewall: true,
      ports: true,
      accounts: true,
      saveBlob: (sha256, bytes) => saveBlob(hostPaths(options.root).guardState, sha256, bytes),
      loggingUnits: options.loggingUnit ?? DEFAULT_LOGGING_UNITS,
      ...(unit === undefined ? {} : { units: unit }),
      ...(file === undefined ? {} : { files: file }),
      ...(certificate === undefined ? {} : { certificateFiles: certificate }),
      ...(certificatePort === undefined ? {} : { certificatePorts: certificatePort.map(parseEndpoint) }),
      ...(timeSource === undefined ? {} : { timeSources: timeSource }),
    },
    signal,
  );
  if (options.out === undefined) return { data: { yaml }, text: yaml };
  writeFileSync(options.out, yaml);
  return {
    data: { written: options.out },
    text: `${options.out}: read it, then sign it with \`holdfast baseline sign\``,
  };
}

/** `10.0.0.1:443` or `[::1]:443`. @throws `ERR_INPUT_INVALID` */
function parseEndpoint(text: string): { address: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address !== undefined && isIP(address) !== 0) return { address, port: Number(digits) };
  throw new HoldfastError('a certificate port is <address>:<port>, as 10.0.0.1:443 or [::1]:443', {
    code: 'ERR_INPUT_INVALID',
  });
}

/** Files that do not belong into a document that is passed around stay on the host, found again by their digest. */
async function saveBlob(guardState: string, sha256: string, bytes: Uint8Array): Promise<void> {
  const directory = join(guardState, 'blobs');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, sha256), bytes, { mode: 0o600, flush: true });
}

export async function sign(
  file: string,
  options: BaselineSignerOptions & { readonly out: string },
): Promise<CommandResult> {
  const signer = loadBaselineSigner(options);
  writeFileSync(options.out, signBaseline(readInput(file), signer));
  return { data: { written: options.out, keyId: signer.keyId }, text: `${options.out}: signed by ${signer.keyId}` };
}

export async function install(file: string, { root }: RootOption): Promise<CommandResult> {
  if (!isSimulated(root)) requireRoot('installing a baseline');
  const paths = hostPaths(root);
  const trust = loadTrust(paths);
  const bytes = readInput(file);
  const verified = verifyBaseline(bytes, trust.keys, Date.now(), trust.hostId);
  if (!verified.ok) throw new HoldfastError(verified.reason, { code: verified.code });
  const temporary = `${paths.baseline}.new`;
  writeFileSync(temporary, bytes, { mode: 0o644, flush: true });
  renameSync(temporary, paths.baseline);
  return {
    data: { hash: verified.hash },
    text: `${paths.baseline}: baseline ${verified.baseline.name}, hash ${verified.hash}`,
  };
}

export async function show({ root }: RootOption): Promise<CommandResult> {
  const paths = hostPaths(root);
  const loaded = await loadHostBaseline(paths, loadTrust(paths), Date.now());
  if (!loaded.ok) throw new HoldfastError(loaded.reason, { code: loaded.code });
  const { baseline, hash, keyId } = loaded;
  const modules = new Map(baseline.customChecks.map(({ name, module }) => [name, module]));
  const sections = [...baseline.sections].map(([name, { remediation }]) => {
    const module = modules.get(name);
    return `${name}: ${remediation}${module === undefined ? '' : `, module ${module}`}`;
  });
  return {
    data: {
      name: baseline.name,
      hash,
      keyId,
      sections: Object.fromEntries([...baseline.sections].map(([name, { expectation }]) => [name, expectation])),
    },
    text: [`${baseline.name}, hash ${hash}, signed by ${keyId}`, ...sections].join('\n'),
  };
}

export async function diff(a: string, b: string): Promise<CommandResult> {
  const [first, second] = [a, b].map((file) => {
    const parsed = parseBaseline(readInput(file));
    if (parsed.ok) return parsed.baseline;
    throw new HoldfastError(`${file}: ${formatProblems(parsed.problems)}`, { code: 'ERR_BASELINE_INVALID' });
  });
  if (first === undefined || second === undefined) throw new TypeError('two baselines were read');
  const difference = diffBaselines(first, second);
  return {
    data: { difference },
    text: difference ?? 'the two expect the same',
    exitCode: difference === null ? 0 : 1,
  };
}

function readInput(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('the file cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file }, cause });
  }
}
