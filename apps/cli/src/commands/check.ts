/** `holdfast check …`: tries a custom check on this host, and signs its module (C-14). */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkModuleFileName,
  checksOf,
  parseBaseline,
  requireBaseline,
  runChecks,
  signCheckModule,
} from '@holdfast/compliance';
import { HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { admitModule, DEFAULT_MODULE_LIMITS, OFFERED_IMPORTS } from '@holdfast/wasm';
import { type BaselineSignerOptions, loadBaselineSigner } from '../baseline-signer.ts';
import { MAX_CHECK_MEMORY_BYTES } from '../check-limits.ts';
import { openCustomCheckRunner } from '../custom-check-runner.ts';
import { openHost, type RootOption } from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';
import { openRunnerHost } from '../wasm-host.ts';
import { formatResult, isGood } from './drift.ts';

function readInput(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('the file cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file }, cause });
  }
}

interface SignOptions extends BaselineSignerOptions {
  readonly outDir: string;
}

/** Refuses what no host would run: a signature on it would only be found out there. */
export async function sign(file: string, options: SignOptions): Promise<CommandResult> {
  const module = readInput(file);
  admitModule(module, OFFERED_IMPORTS, { ...DEFAULT_MODULE_LIMITS, memoryBytes: MAX_CHECK_MEMORY_BYTES });
  const signer = loadBaselineSigner(options);
  const { sha256, signed } = signCheckModule(module, signer);
  const path = join(options.outDir, checkModuleFileName(sha256));
  mkdirSync(options.outDir, { recursive: true, mode: 0o755 });
  writeFileSync(path, signed, { mode: 0o644, flush: true });
  return {
    data: { written: path, sha256, keyId: signer.keyId },
    text: `${path}: signed by ${signer.keyId}\nmodule: "${sha256}"`,
  };
}

interface TestOptions extends RootOption {
  readonly baseline: string;
  readonly name: string;
  readonly processSandbox: boolean;
}

/** Runs one check of a baseline that nobody signed yet, with this module, on this host. Seals nothing. */
export async function test(file: string, options: TestOptions, signal: AbortSignal): Promise<CommandResult> {
  const module = readInput(file);
  const yaml = readInput(options.baseline);
  const parsed = requireBaseline(parseBaseline(yaml));
  const customChecks = parsed.customChecks.map((custom) =>
    custom.name === options.name ? { ...custom, module: sha256Hex(module) } : custom,
  );
  if (!customChecks.some(({ name }) => name === options.name)) {
    const names = customChecks.map(({ name }) => name).join(', ');
    throw new HoldfastError(
      `the baseline declares no custom check of this name; ${names === '' ? 'it declares none' : `it declares ${names}`}`,
      { code: 'ERR_INPUT_INVALID' },
    );
  }
  const loaded = { ok: true, baseline: { ...parsed, customChecks }, hash: sha256Hex(yaml), keyId: 'unsigned' } as const;
  await using runner = openCustomCheckRunner(() => openRunnerHost(options, MAX_CHECK_MEMORY_BYTES, signal));
  const all = checksOf(loaded, { modules: { load: async () => module }, runner });
  const checks = new Map([...all].filter(([name]) => name === options.name));
  const host = await openHost(options.root);
  const results = await runChecks(loaded, { host, nowMs: host.clock.wallMs() }, signal, { checks });
  return { data: { results }, text: results.map(formatResult).join('\n'), exitCode: results.every(isGood) ? 0 : 1 };
}
