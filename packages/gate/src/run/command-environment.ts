/**
 * The environment of a gate's commands: what the gate file passes and sets, and the settings that turn
 * known caches off. Nothing else of the caller's environment reaches them.
 */
import { canonicalJson } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { Gate } from '../gate-file/gate-schema.ts';

interface CacheSwitch {
  readonly variable: string;
  readonly value: string;
  /** `append`: a list of options, to which this one is added; the gate file may set others. */
  readonly mode: 'set' | 'append';
}

/**
 * Caches that would let a tool report what it did not do now, or write into the tree under test.
 * Caches of downloads and of compiled dependencies stay: they do not carry results of tests.
 */
export const CACHE_SWITCHES: readonly CacheSwitch[] = [
  // `go help test`: "the idiomatic way to disable test caching explicitly is to use -count=1".
  { variable: 'GOFLAGS', value: '-count=1', mode: 'append' },
  // The Cargo Book, environment variables.
  { variable: 'CARGO_INCREMENTAL', value: '0', mode: 'set' },
  { variable: 'PYTHONDONTWRITEBYTECODE', value: '1', mode: 'set' },
  // No --last-failed, no .pytest_cache in the tree.
  { variable: 'PYTEST_ADDOPTS', value: '-p no:cacheprovider', mode: 'append' },
  { variable: 'MYPY_CACHE_DIR', value: '/dev/null', mode: 'set' },
  { variable: 'RUFF_NO_CACHE', value: 'true', mode: 'set' },
  { variable: 'NODE_DISABLE_COMPILE_CACHE', value: '1', mode: 'set' },
  // Task runners that replay the output of an earlier run.
  { variable: 'TURBO_FORCE', value: 'true', mode: 'set' },
  { variable: 'NX_SKIP_NX_CACHE', value: 'true', mode: 'set' },
  // Compiler caches of C, C++ and Rust.
  { variable: 'CCACHE_DISABLE', value: '1', mode: 'set' },
  { variable: 'SCCACHE_RECACHE', value: '1', mode: 'set' },
];

export interface CommandEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /** SHA-256 of the canonical JSON of all names and values. */
  readonly digest: string;
}

/** @param inherited the environment of this process; only what the gate file passes is taken from it */
export function commandEnvironment(
  { pass, set }: Gate['environment'],
  inherited: Readonly<Record<string, string | undefined>>,
): CommandEnvironment {
  const variables: Record<string, string> = {};
  for (const name of pass) {
    const value = inherited[name];
    if (value !== undefined) variables[name] = value;
  }
  Object.assign(variables, set);
  for (const { variable, value, mode } of CACHE_SWITCHES) {
    const before = variables[variable] ?? '';
    variables[variable] = mode === 'append' && before !== '' ? `${before} ${value}` : value;
  }
  return { variables, digest: sha256Hex(canonicalJson(variables)) };
}
