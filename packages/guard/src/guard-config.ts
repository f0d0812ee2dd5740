/**
 * What the guard is told from outside: where things are, who may connect, and what the host is
 * enrolled as. Validated once; nothing past this reads a file of configuration but policy and baseline,
 * which may change while the guard runs.
 */
import { readFileSync } from 'node:fs';
import { type HostPaths, type Trust, TrustSchema } from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { parseRedactionRules, type RedactionRules } from '@holdfast/evidence';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { DEFAULT_SOCKET_LIMITS, type SocketLimits } from './socket/socket-server.ts';

const GuardFileSchema = z.strictObject({
  /** Name or number of the group that may connect. */
  socketGroup: z.union([z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/), z.int().min(0)]).default('holdfast'),
  /** What is taken out of evidence before it is signed, besides the built-in classes (P-31). */
  redaction: z.record(z.string(), z.unknown()).default({}),
});

export interface GuardConfig {
  readonly paths: HostPaths;
  readonly trust: Trust;
  /** Release of this guard, as `status` says it. */
  readonly version: string;
  readonly socketGid: number;
  readonly limits?: Partial<SocketLimits>;
  /** How long denials past the rate are gathered before one record and one statement are made of them. */
  readonly denialSummaryMs?: number;
  /** How long who brings an ordered command waits for its end before it is told that it runs. */
  readonly orderPatienceMs?: number;
  /** P-31; the built-in classes when left out. */
  readonly redactionRules?: RedactionRules;
}

export const limitsOf = (config: GuardConfig): SocketLimits => ({ ...DEFAULT_SOCKET_LIMITS, ...config.limits });

function invalid(what: string, paths: string): HoldfastError {
  return new HoldfastError(`${what} is not valid`, { code: 'ERR_CONFIG_INVALID', fields: { what, paths } });
}

function parseWith<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(what, parsed.error.issues.map((issue) => issue.path.join('.') || '(root)').join(' '));
}

function readOptional(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw cause;
  }
}

/** @throws `ERR_CONFIG_INVALID` */
export function parseTrust(text: string): Trust {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('trust.json', '(not JSON)');
  }
  return parseWith(TrustSchema, value, 'trust.json');
}

/** The group's number; our own where there is no such group or we may not give to it, so that nobody else can connect. */
function resolveGroup(group: string | number, groupFile: string): number {
  const own = process.getegid?.() ?? 0;
  const gid = typeof group === 'number' ? group : findGroup(group, groupFile);
  const mayGive = process.geteuid?.() === 0 || process.getgroups?.().includes(gid ?? own) === true;
  return gid !== undefined && mayGive ? gid : own;
}

function findGroup(group: string, groupFile: string): number | undefined {
  for (const line of (readOptional(groupFile) ?? '').split('\n')) {
    const [name, , gid] = line.split(':');
    if (name === group && gid !== undefined && /^\d{1,10}$/.test(gid)) return Number(gid);
  }
  return undefined;
}

/**
 * Reads `guard.toml` (optional) and `trust.json`.
 *
 * @throws `ERR_CONFIG_INVALID`, also when the host is not enrolled
 */
export function loadGuardConfig(paths: HostPaths, version: string): GuardConfig {
  let file: unknown = {};
  try {
    file = parseToml(readOptional(paths.guardConfig) ?? '');
  } catch {
    throw invalid('guard.toml', '(not TOML or not readable)'); // the parser's message quotes the file
  }
  const { socketGroup, redaction } = parseWith(GuardFileSchema, { ...(file as object) }, 'guard.toml');
  const trust = readOptional(paths.trust);
  if (trust === null) throw invalid('trust.json', '(missing: the host is not enrolled)');
  return {
    paths,
    version,
    trust: parseTrust(trust),
    socketGid: resolveGroup(socketGroup, '/etc/group'),
    redactionRules: parseRedactionRules(redaction),
  };
}
