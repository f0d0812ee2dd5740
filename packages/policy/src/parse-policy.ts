/**
 * From TOML texts (the file and its `policy.d/`, in order) to one effective policy, or to the
 * findings that say why there is none (G-08).
 */
import { parse as parseToml } from 'smol-toml';
import type { z } from 'zod';
import { compilePolicy, type Policy } from './compiled-policy.ts';
import type { PolicyFinding } from './finding.ts';
import { lintPolicy } from './lint.ts';
import { PolicySchema } from './policy-schema.ts';

/** A policy of 1,000 rules is about 200 KiB. */
export const MAX_POLICY_CHARS = 4 * 1024 * 1024;
const MAX_FINDINGS = 200;

export interface ParsedPolicy {
  /** `null` when any finding is an ERROR. */
  readonly policy: Policy | null;
  readonly findings: readonly PolicyFinding[];
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Joins drop-ins: lists are appended, groups are united, anything else may be said only once. */
function merge(into: Record<string, unknown>, from: Record<string, unknown>, findings: PolicyFinding[]): void {
  for (const [key, value] of Object.entries(from)) {
    const there = into[key];
    if (there === undefined || (key === 'version' && there === value)) into[key] = value;
    else if (Array.isArray(there) && Array.isArray(value))
      into[key] = [...(there as unknown[]), ...(value as unknown[])];
    else if (key === 'groups' && isTable(there) && isTable(value)) {
      for (const [group, members] of Object.entries(value)) {
        if (Object.hasOwn(there, group)) {
          findings.push({
            severity: 'ERROR',
            code: 'duplicate-name',
            path: `groups.${group}`,
            message: 'a second group of this name',
          });
        } else there[group] = members;
      }
    } else findings.push({ severity: 'ERROR', code: 'said-twice', path: key, message: 'may be said in one file only' });
  }
}

function fromIssue(issue: z.core.$ZodIssue): PolicyFinding {
  const path = issue.path.map(String).join('.') || '(root)';
  if (issue.code === 'unrecognized_keys') {
    return {
      severity: 'ERROR',
      code: 'unknown-key',
      path,
      message: `unknown keys: ${issue.keys.join(', ').slice(0, 200)}`,
    };
  }
  return { severity: 'ERROR', code: 'bad-shape', path, message: `not valid (${issue.code})` };
}

/** Never throws: every problem is a finding. */
export function parsePolicy(texts: readonly string[]): ParsedPolicy {
  const findings: PolicyFinding[] = [];
  const refused = (severity: PolicyFinding['severity'], code: string, path: string, message: string): ParsedPolicy => ({
    policy: null,
    findings: [...findings, { severity, code, path, message }],
  });
  if (texts.every((text) => text.trim() === '')) {
    // G-15: nothing said is nothing granted, and not a policy that happens to be valid.
    return refused('ERROR', 'empty-policy', '(root)', 'the policy says nothing');
  }
  if (texts.reduce((sum, text) => sum + text.length, 0) > MAX_POLICY_CHARS) {
    return refused('ERROR', 'too-large', '(root)', 'the policy is larger than any policy should be');
  }
  const joined: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [index, text] of texts.entries()) {
    try {
      merge(joined, parseToml(text), findings);
    } catch {
      return refused('ERROR', 'bad-toml', `file ${index}`, 'not TOML'); // its message would quote the file
    }
  }
  const parsed = PolicySchema.safeParse({ ...joined });
  if (!parsed.success) findings.push(...parsed.error.issues.slice(0, MAX_FINDINGS).map(fromIssue));
  else findings.push(...lintPolicy(parsed.data).slice(0, MAX_FINDINGS));
  const isRefused = !parsed.success || findings.some(({ severity }) => severity === 'ERROR');
  return { policy: isRefused ? null : compilePolicy(parsed.data), findings };
}

/** The hash of what the policy says, over canonical JSON (G-12). */
export const policyHash = (policy: Policy): Policy['hash'] => policy.hash;
