/** `holdfast policy …`: the policy a host starts with, and what is wrong with one. */
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { DEFAULT_AGENT_POLICY, parsePolicy, policyHash } from '@holdfast/policy';
import type { CommandResult } from '../output.ts';

export async function printDefault(): Promise<CommandResult> {
  return { data: { policy: DEFAULT_AGENT_POLICY }, text: DEFAULT_AGENT_POLICY };
}

/** Several files are one policy, as the guard reads `policy.toml` and `policy.d`. */
export async function lint(files: readonly string[]): Promise<CommandResult> {
  const texts = files.map((file) => {
    try {
      return readFileSync(file, 'utf8');
    } catch (cause) {
      throw new HoldfastError('the policy cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file }, cause });
    }
  });
  const { policy, findings } = parsePolicy(texts);
  const lines = findings.map(({ severity, path, message }) => `${severity.padEnd(5)} ${path}: ${message}`);
  const hash = policy === null ? null : policyHash(policy);
  return {
    data: { loads: policy !== null, hash, findings },
    text: [...lines, hash === null ? 'this policy would not load' : `loads; hash ${hash}`].join('\n'),
    exitCode: policy === null ? 1 : 0,
  };
}
