/**
 * What looks at one part of the wanted state, and what it says it saw (C-06).
 */
import type { Json, JsonObject } from '@holdfast/core';
import type { Finding, FindingStatus } from '@holdfast/evidence';
import type { HostReader } from '@holdfast/host';
import type { ZodType } from 'zod';

/**
 * One check. Registered once in `checks.ts`; its expectation is one section of the baseline.
 *
 * - `run` MUST NOT change the host (a canary log line is the one exception, by `logging`).
 * - What cannot be read MUST come out as a finding with status `unknown` that says why; a throw is
 *   reported as `error`. Neither ever passes.
 * - Findings MUST be in a stable order: the same host state gives the same findings.
 * - Controls, remediation, exceptions and the baseline's severity are added by `runChecks`: findings
 *   made with `pass`, `fail` and `unknown` of `finding.ts` are complete.
 */
export interface Check<E extends JsonObject = JsonObject> {
  readonly name: string;
  /** One sentence: what it looks at. */
  readonly title: string;
  readonly expectation: ZodType<E>;
  /** 5 s; 10 s for rulesets and journals (C-06). */
  readonly timeoutMs: number;
  run(expectation: E, context: CheckContext, signal: AbortSignal): Promise<readonly Finding[]>;
}

export interface CheckContext {
  readonly host: HostReader;
  readonly nowMs: number;
  /** Unguessable bytes, for a token nobody else can have written. */
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
}

/** What one run of one check came to. */
export interface CheckResult {
  readonly check: string;
  /** The worst of its findings: error > unknown > fail > excepted > pass > not_applicable. No finding ⇒ unknown. */
  readonly status: FindingStatus;
  readonly severity: Finding['severity'];
  readonly findings: readonly Finding[];
  readonly startedMs: number;
  readonly endedMs: number;
  readonly observed: Json;
}
