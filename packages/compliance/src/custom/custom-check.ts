/**
 * A check that is a WebAssembly module (C-14), behind the same interface as the built-in ones: it has
 * the same places in reports, evidence and the console, the same time-out, and the same rules for
 * what could not be measured. It is shown one JSON document and answers with another; it has no
 * files, no clock, no network and no way to change anything.
 */
import { isHoldfastError, type JsonObject } from '@holdfast/core';
import type { Finding } from '@holdfast/evidence';
import { z } from 'zod';
import type { Check, CheckContext } from '../check.ts';
import { CHECKS } from '../checks.ts';
import { broken, reasonOf, unknown } from '../finding.ts';
import type { LoadedBaseline } from '../signed-baseline.ts';
import type { CheckModules } from './check-module.ts';
import type { CustomCheck } from './declaration.ts';
import { gatherInputs } from './gather-inputs.ts';
import { MAX_ANSWER_BYTES, parseAnswer } from './parse-answer.ts';

/** C-06 gives rulesets and journals as much; the module's own deadline is shorter. */
const TIMEOUT_MS = 10_000;
/** Twenty files of 256 KiB are more than a module can be expected to parse. */
const MAX_DOCUMENT_BYTES = 1024 * 1024;

export interface CustomCheckTask {
  readonly module: Uint8Array;
  readonly stdin: Uint8Array;
  readonly fuel: bigint;
  readonly memoryBytes: number;
  readonly deadlineMs: number;
  /** Of standard output; more ends the run or is reported as `truncated`. */
  readonly outputBytes: number;
}

export interface CustomCheckOutcome {
  readonly exitCode: number | null;
  /** Why it did not end by itself; safe to show. */
  readonly error: { readonly code: string; readonly detail: string } | null;
  readonly stdout: Uint8Array;
  readonly truncated: boolean;
}

/**
 * Runs a module with nothing but standard input and output. MUST hold the deadline from outside of
 * the module, MUST give it no directory, no environment and no host clock, and MUST NOT run it in this
 * process unless it is trusted as much as this code.
 */
export interface CustomCheckRunner {
  /** Resolves also when the module failed. @throws what admitting a module, and the process for it, fail with */
  run(task: CustomCheckTask, signal: AbortSignal): Promise<CustomCheckOutcome>;
}

export interface CustomCheckDeps {
  readonly modules: CheckModules;
  /** `null` where modules cannot be confined: their checks are unknown then. */
  readonly runner: CustomCheckRunner | null;
}

/** The built-in checks and those of the baseline, by name. */
export function checksOf(loaded: LoadedBaseline, deps: CustomCheckDeps): ReadonlyMap<string, Check> {
  const custom = loaded.ok ? loaded.baseline.customChecks : [];
  return new Map([...CHECKS, ...custom.map((declared) => [declared.name, openCustomCheck(declared, deps)] as const)]);
}

export function openCustomCheck(declared: CustomCheck, { modules, runner }: CustomCheckDeps): Check {
  const { name, title } = declared;
  return {
    name,
    title,
    expectation: z.custom<JsonObject>(), // parsed with the baseline
    timeoutMs: TIMEOUT_MS,
    async run(_expectation, context, signal): Promise<readonly Finding[]> {
      if (runner === null) return [notRun(name, 'This host cannot confine WebAssembly')];
      try {
        const module = await modules.load(declared.module, context.nowMs);
        return await ask(declared, module, runner, context, signal);
      } catch (error) {
        signal.throwIfAborted();
        // The host's own failure to confine says nothing about the module; it is tried again at the next look.
        if (isHoldfastError(error) && error.code.startsWith('ERR_SANDBOX_')) return [notRun(name, reasonOf(error))];
        return [broken('module-refused', name, `The module did not run: ${reasonOf(error)}`)];
      }
    },
  };
}

function notRun(name: string, why: string): Finding {
  return unknown('high', 'module-not-run', name, `The module could not be confined, so it did not run: ${why}`);
}

/** The document a module reads from standard input. */
export async function documentFor(
  { name, config, inputs }: CustomCheck,
  context: CheckContext,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const document = { version: 1, check: name, config, inputs: await gatherInputs(inputs, context, signal) };
  return Buffer.from(`${JSON.stringify(document)}\n`);
}

async function ask(
  declared: CustomCheck,
  module: Uint8Array,
  runner: CustomCheckRunner,
  context: CheckContext,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { name, limits } = declared;
  const stdin = await documentFor(declared, context, signal);
  if (stdin.length > MAX_DOCUMENT_BYTES) {
    return [unknown('high', 'inputs-too-large', name, 'What the check asked to see is larger than 1 MiB')];
  }
  const task = { ...limits, fuel: BigInt(limits.fuel), module, stdin, outputBytes: MAX_ANSWER_BYTES };
  const { exitCode, error, stdout, truncated } = await runner.run(task, signal);
  if (error !== null) return [broken('module-failed', name, `The module failed: ${error.detail} (${error.code})`)];
  if (exitCode !== 0) return [broken('module-failed', name, `The module ended with exit code ${exitCode}`)];
  const findings = truncated ? null : parseAnswer(stdout);
  return (
    findings ?? [broken('module-answer-invalid', name, 'What the module wrote is not an answer of the documented form')]
  );
}
