/**
 * Brings a database to the schema of this version: numbered SQL files, each in a transaction of its
 * own, one server at a time, each refused when it would leave a table of tenants unprotected (T-02).
 */
import { HoldfastError, isHoldfastError } from '@holdfast/core';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

/** Any number will do, as long as every version of Holdfast takes the same. */
const MIGRATION_LOCK = 4_873_120_661;
const DIRECTORY = join(import.meta.dirname, 'migrations');

/** The migrations of this version, by number. */
export function listMigrations(): Migration[] {
  return readdirSync(DIRECTORY)
    .filter((name) => /^\d{4}-[a-z-]+\.sql$/.test(name))
    .toSorted()
    .map((name) => ({ number: Number(name.slice(0, 4)), name, sql: readFileSync(join(DIRECTORY, name), 'utf8') }));
}

const digestOf = (sql: string): string => createHash('sha256').update(sql).digest('hex');
const refuse = (message: string, fields: Record<string, string>, cause?: unknown): HoldfastError =>
  new HoldfastError(message, { code: 'ERR_STORE_MIGRATION', fields, cause });

/** Tables with `org_id` that are not bound to the org of the transaction. */
const UNPROTECTED = `
  SELECT c.relname AS name FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'p') AND NOT (
    c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
      SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polpermissive
        AND pg_get_expr(p.polqual, p.polrelid) LIKE '%org_id = current_org()%'
        AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '%org_id = current_org()%'))
  ORDER BY 1`;

async function apply(client: Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    const { rows } = await client.query<{ name: string }>(UNPROTECTED); // T-02
    if (rows.length > 0)
      throw refuse('a table of tenants has no forced row-level security', {
        migration: migration.name,
        tables: rows.map(({ name }) => name).join(' '),
      });
    await client.query('INSERT INTO schema_migrations (number, name, digest) VALUES ($1, $2, $3)', [
      migration.number,
      migration.name,
      digestOf(migration.sql),
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined); // the connection may be the reason
    throw isHoldfastError(error) ? error : refuse('a migration failed', { migration: migration.name }, error);
  }
}

/**
 * Applies what is missing.
 *
 * @param ownerUrl a role that may create tables and, the first time, the role `holdfast_app`
 * @returns names of the migrations that were applied
 * @throws `ERR_STORE_MIGRATION`; the database is then as after the last one that succeeded
 */
export async function migrate(
  ownerUrl: string,
  migrations: readonly Migration[] = listMigrations(),
): Promise<string[]> {
  const client = new Client({ connectionString: ownerUrl });
  client.on('error', () => undefined); // a connection lost here shows as the failed query
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]); // released with the connection
    await client.query(`DO $$ BEGIN
      IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'holdfast_app') THEN
        CREATE ROLE holdfast_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
      END IF;
      IF NOT pg_has_role(current_user, 'holdfast_app', 'SET') THEN
        EXECUTE format('GRANT holdfast_app TO %I', current_user);
      END IF;
    END $$`);
    await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
      number int PRIMARY KEY, name text NOT NULL, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
    const { rows } = await client.query<{ number: number; digest: string }>(
      'SELECT number, digest FROM schema_migrations',
    );
    const applied = new Map(rows.map((row) => [row.number, row.digest]));
    const known = new Set(migrations.map((migration) => migration.number));
    for (const number of applied.keys())
      if (!known.has(number)) throw refuse('the database is from a newer version', { migration: String(number) });
    const done: string[] = [];
    for (const migration of migrations) {
      const digest = applied.get(migration.number);
      if (digest === undefined) {
        await apply(client, migration);
        done.push(migration.name);
      } else if (digest !== digestOf(migration.sql))
        throw refuse('an applied migration was changed', { migration: migration.name });
    }
    return done;
  } finally {
    await client.end();
  }
}
