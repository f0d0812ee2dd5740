/**
 * A policy made fast: rules indexed by principal and operation, patterns compiled, groups resolved.
 * Made once per load by `parsePolicy`; a decision only looks things up.
 */
import type { Json, Sha256Hex } from '@holdfast/core';
import { canonicalJson, type JsonObject, type MaintenanceWindow, parseMaintenanceWindow } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { compileGrant, compileRefusal } from './constraint.ts';
import type { Bucket, Command, Effect, PolicyDocument, ReadName, Rule } from './policy-schema.ts';
import { DEFAULT_MUTATION_BUCKET, DEFAULT_SEAL_BUCKET } from './policy-schema.ts';
import type { Caller } from './principal.ts';
import { DEFAULT_SANDBOX_PROFILE, type SandboxProfile } from './sandbox-profile.ts';

export interface CompiledRule {
  readonly name: string;
  readonly effect: Effect;
  /** Whether the rule's conditions on the parameters hold. */
  readonly applies: (params: JsonObject) => boolean;
}

/** Rules of one principal. `byPattern` holds exact names and `area.*`. */
export type RuleIndex = ReadonlyMap<string, readonly CompiledRule[]>;

export interface Policy {
  readonly document: PolicyDocument;
  readonly hash: Sha256Hex;
  readonly rulesOf: ReadonlyMap<string, RuleIndex>;
  readonly readsOf: ReadonlyMap<string, ReadonlySet<ReadName>>;
  readonly namesByUser: ReadonlyMap<string, readonly string[]>;
  readonly namesByUid: ReadonlyMap<number, readonly string[]>;
  readonly controlPlaneNames: readonly string[];
  readonly commands: ReadonlyMap<string, Command>;
  /** By name, `default` among them. Every profile that a command names is there: lint sees to it. */
  readonly profiles: ReadonlyMap<string, SandboxProfile>;
  readonly bucketsOf: ReadonlyMap<string, { readonly mutations: Bucket; readonly seal: Bucket }>;
  readonly windows: readonly { readonly window: MaintenanceWindow; readonly operations: readonly string[] | null }[];
}

/** Principal names a list of principals and groups stands for. Names that stand for nothing are dropped: lint refuses them. */
export function resolveNames(document: PolicyDocument, names: readonly string[]): string[] {
  const principals = new Set(document.principals.map((principal) => principal.name));
  const found = new Set<string>();
  for (const name of names) {
    if (principals.has(name)) found.add(name);
    for (const member of Object.hasOwn(document.groups, name) ? document.groups[name]! : []) {
      if (principals.has(member)) found.add(member);
    }
  }
  return [...found];
}

function compileRule(rule: Rule): CompiledRule {
  const compile = rule.effect === 'allow' ? compileGrant : compileRefusal;
  const tests = Object.entries(rule.params).map(([name, constraint]) => ({ name, holds: compile(constraint) }));
  return {
    name: rule.name,
    effect: rule.effect,
    applies: (params) =>
      tests.every(({ name, holds }) => holds(Object.hasOwn(params, name) ? params[name] : undefined)),
  };
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** Hash over the canonical JSON of what the policy says, defaults filled in (G-12). */
export function hashDocument(document: PolicyDocument): Sha256Hex {
  // Through JSON once: optional keys that are absent and `undefined` are the same statement.
  return sha256Hex(canonicalJson(JSON.parse(JSON.stringify(document)) as Json));
}

/** @throws whatever a pattern or a window throws that does not parse: `parsePolicy` lints first */
export function compilePolicy(document: PolicyDocument): Policy {
  const rulesOf = new Map<string, Map<string, CompiledRule[]>>();
  for (const rule of document.rules) {
    const compiled = compileRule(rule);
    for (const name of resolveNames(document, rule.principals)) {
      const index = rulesOf.get(name) ?? new Map<string, CompiledRule[]>();
      rulesOf.set(name, index);
      for (const pattern of new Set(rule.operations)) push(index, pattern, compiled);
    }
  }
  const readsOf = new Map<string, Set<ReadName>>();
  for (const grant of document.reads) {
    for (const name of resolveNames(document, grant.principals)) {
      const reads = readsOf.get(name) ?? new Set<ReadName>();
      readsOf.set(name, reads);
      for (const read of grant.allow) reads.add(read);
    }
  }
  const namesByUser = new Map<string, string[]>();
  const namesByUid = new Map<number, string[]>();
  const controlPlaneNames: string[] = [];
  for (const principal of document.principals) {
    if ('user' in principal) push(namesByUser, principal.user, principal.name);
    else if ('uid' in principal) push(namesByUid, principal.uid, principal.name);
    else controlPlaneNames.push(principal.name);
  }
  const bucketsOf = new Map<string, { mutations: Bucket; seal: Bucket }>();
  for (const limit of document.rateLimits) {
    for (const name of resolveNames(document, limit.principals)) {
      bucketsOf.set(name, { mutations: limit.mutations, seal: limit.seal });
    }
  }
  return {
    document,
    hash: hashDocument(document),
    rulesOf,
    readsOf,
    namesByUser,
    namesByUid,
    controlPlaneNames,
    commands: new Map(document.commands.map((command) => [command.name, command])),
    profiles: new Map([DEFAULT_SANDBOX_PROFILE, ...document.profiles].map((profile) => [profile.name, profile])),
    bucketsOf,
    windows: document.windows.map((entry) => ({
      window: parseMaintenanceWindow(entry.schedule),
      operations: entry.operations ?? null,
    })),
  };
}

/** Every name the policy has for this caller; a user may have several. */
export function namesOf(policy: Policy, caller: Caller): readonly string[] {
  if (caller.kind === 'control-plane') return policy.controlPlaneNames;
  const byUid = policy.namesByUid.get(caller.uid) ?? [];
  const byUser = caller.user === null ? [] : (policy.namesByUser.get(caller.user) ?? []);
  return byUid.length === 0 ? byUser : [...byUid, ...byUser];
}

/** The narrowest limits any of the caller's names has; the defaults when none has. */
export function bucketOf(policy: Policy | null, caller: Caller, kind: 'mutations' | 'seal'): Bucket {
  const fallback = kind === 'mutations' ? DEFAULT_MUTATION_BUCKET : DEFAULT_SEAL_BUCKET;
  if (policy === null) return fallback;
  const buckets = namesOf(policy, caller).flatMap((name) => policy.bucketsOf.get(name)?.[kind] ?? []);
  if (buckets.length === 0) return fallback;
  return {
    burst: Math.min(...buckets.map((bucket) => bucket.burst)),
    perMinute: Math.min(...buckets.map((bucket) => bucket.perMinute)),
  };
}
