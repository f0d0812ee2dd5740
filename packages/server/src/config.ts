/** Configuration of one server, parsed once. */
import { HoldfastError, ID_PATTERN } from '@holdfast/core';
import { isIP } from 'node:net';
import { z } from 'zod';

const Port = z.int().min(0).max(65_535);

export const ServerConfigSchema = z.strictObject({
  /** Keys, CA, tokens and, when embedded, the database. */
  stateDir: z.string().startsWith('/'),
  /** A PostgreSQL of yours; left out, the embedded one is started. Holds a password: never logged. */
  databaseUrl: z.string().optional(),
  /** Who the embedded PostgreSQL runs as when we are root. */
  databaseUser: z.string().optional(),
  orgId: z.string().regex(ID_PATTERN).default('default'),
  orgName: z.string().min(1).max(100).default('Holdfast'),
  /** Name in the log's C2SP origin. */
  logName: z
    .string()
    .regex(/^[a-z0-9.-]{1,100}$/)
    .default('holdfast.local'),
  console: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: Port.default(7440),
      /** Built files; left out, a placeholder is served. */
      directory: z.string().optional(),
      /** PEM; needed anywhere but on loopback. */
      tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
    })
    .prefault({}),
  agents: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: Port.default(7443),
      /** Names and addresses hosts reach this server by, the first of which goes into their trust. */
      names: z.array(z.string().max(253)).default([]),
    })
    .prefault({}),
  /** How often published gates are judged anew: what lapses is told this late at most. */
  gateSweepIntervalMs: z.int().min(100).max(3_600_000).default(60_000),
  checkinIntervalMs: z.int().min(1_000).max(3_600_000).default(60_000),
  /** T-12. */
  requestsPerMinute: z.int().min(1).default(6_000),
  failedLoginsPerMinute: z.int().min(1).default(10),
});
export type ServerConfigInput = z.input<typeof ServerConfigSchema>;
export type ServerConfig = Readonly<z.output<typeof ServerConfigSchema>>;

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/** @throws `ERR_CONFIG_INVALID`, `ERR_SERVER_CONFIG` for plain HTTP anywhere but on loopback */
export function parseServerConfig(input: unknown): ServerConfig {
  const parsed = ServerConfigSchema.safeParse(input);
  if (!parsed.success) {
    const paths = parsed.error.issues.map(({ path, code }) => `${path.join('.')} ${code}`).join(', ');
    throw new HoldfastError('the server configuration is not valid', { code: 'ERR_CONFIG_INVALID', fields: { paths } });
  }
  const { console: page } = parsed.data;
  if (page.tls === undefined && !isLoopback(page.host))
    throw new HoldfastError('plain HTTP is for loopback only', { code: 'ERR_SERVER_CONFIG' });
  return parsed.data;
}
