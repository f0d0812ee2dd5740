/**
 * The way to the database for everything but migrations: a pool of connections under a role that
 * row-level security binds, and transactions that are always one org's (T-02).
 */
import { HoldfastError, isHoldfastError, parseOrgId } from '@holdfast/core';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Pool, types, type PoolConfig } from 'pg';

export type Row = Readonly<Record<string, unknown>>;

/** A transaction in which only one org's rows exist. */
export interface Transaction {
  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<R[]>;
}

export interface Store extends AsyncDisposable {
  /**
   * Runs `work` in one transaction of this org: committed when it resolves, rolled back when it
   * throws. MAY run `work` again from the start after a deadlock or a serialization failure.
   *
   * @throws `ERR_STORE_UNAVAILABLE` when the database cannot be reached; after a lost connection it
   *   is unknown whether the transaction was committed, so `work` must be idempotent
   */
  withOrg<T>(orgId: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** As `withOrg`, but sees exactly the credential with this digest, of whichever org. Read only. */
  withCredential<T>(digest: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Sees no row of any org: for `orgs` itself, and to prove just that. */
  withoutOrg<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Calls `onNotice` for each NOTIFY on `channel` until `signal` aborts, over a connection that is
   * made again when lost. `onConnect` is called after each connect: whatever was told meanwhile was missed.
   */
  listen(channel: string, on: { notice(payload: string): void; connect(): void }, signal: AbortSignal): Promise<void>;
}

export interface StoreOptions {
  readonly ownerUrl: string;
  /** Without it the owner's connection takes on the role `holdfast_app` when it is opened. */
  readonly appUrl?: string;
  readonly maxConnections?: number;
}

const DEADLOCK_OR_SERIALIZATION = new Set(['40001', '40P01']);
const MAX_ATTEMPTS = 5;
const CONNECT_TIMEOUT_MS = 10_000;
/** Longer than any request takes, shorter than anyone waits. */
const STATEMENT_TIMEOUT_MS = 60_000;
/** SQLSTATE classes 08 (connection), 53 (resources) and 57P (shutdown, crash, starting up). */
const UNAVAILABLE = /^(08|53|57P)/;

// int8 as number: every one of ours (indices, sequences) stays below 2^53.
types.setTypeParser(types.builtins.INT8, Number);

const stateOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

function convert(error: unknown): unknown {
  if (isHoldfastError(error) || !(error instanceof Error)) return error;
  const state = stateOf(error);
  const lost = state === undefined ? /connect|terminated|timeout/i.test(error.message) : UNAVAILABLE.test(state);
  if (lost || (state !== undefined && /^E[A-Z]+$/.test(state)))
    return new HoldfastError('the database cannot be reached', { code: 'ERR_STORE_UNAVAILABLE', cause: error });
  return error;
}

class PooledStore implements Store {
  readonly #pool: Pool;
  readonly #config: PoolConfig;

  constructor(config: PoolConfig) {
    this.#config = config;
    this.#pool = new Pool(config);
    this.#pool.on('error', () => undefined); // an idle connection was lost; the pool opens another
    // A server that is stopped just then says so in the same packet as its welcome, before anyone has the connection.
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  withOrg<T>(orgId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    // The pattern of ids has no quote in it: checked here, where the text is made.
    return this.#transaction(`BEGIN; SET LOCAL holdfast.org_id = '${parseOrgId(orgId)}'`, work);
  }

  withCredential<T>(digest: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new TypeError('a credential is looked up by its hex SHA-256');
    return this.#transaction(`BEGIN READ ONLY; SET LOCAL holdfast.credential = '${digest}'`, work);
  }

  withoutOrg<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#transaction('BEGIN', work);
  }

  async #transaction<T>(begin: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(begin, work);
      } catch (error) {
        if (attempt >= MAX_ATTEMPTS || !DEADLOCK_OR_SERIALIZATION.has(stateOf(error) ?? '')) throw convert(error);
        await delay(5 * attempt);
      }
    }
  }

  async #attempt<T>(begin: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let broken = false;
    const onError = (): void => void (broken = true); // the query under way fails as well
    client.on('error', onError);
    try {
      await client.query(begin);
      const result = await work({
        query: async <R extends object>(text: string, values?: readonly unknown[]) =>
          (await client.query<R>(text, values === undefined ? [] : [...values])).rows,
      });
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => void (broken = true));
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  async listen(
    channel: string,
    on: { notice(payload: string): void; connect(): void },
    signal: AbortSignal,
  ): Promise<void> {
    if (!/^[a-z_]+$/.test(channel)) throw new TypeError('a channel is a plain lower-case name');
    while (!signal.aborted) {
      const client = new Client(this.#config);
      const closed = new Promise<void>((resolve) => {
        client.on('error', () => resolve());
        client.on('end', () => resolve());
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      try {
        await client.connect();
        client.on('notification', (notice) => on.notice(notice.payload ?? ''));
        await client.query(`LISTEN ${channel}`);
        on.connect();
        await closed;
      } catch {
        // not reachable now: tried again below
      }
      await client.end().catch(() => undefined); // it may be gone already
      await delay(500, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}

/** @throws `ERR_STORE_ROLE` when the role could bypass row-level security */
export async function openStore(options: StoreOptions): Promise<Store> {
  const store = new PooledStore({
    connectionString: options.appUrl ?? options.ownerUrl,
    ...(options.appUrl === undefined ? { options: '-c role=holdfast_app' } : {}),
    max: options.maxConnections ?? 16,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
  });
  try {
    const [role] = await store.withoutOrg((tx) =>
      tx.query<{ safe: boolean }>(
        'SELECT NOT rolsuper AND NOT rolbypassrls AS safe FROM pg_roles WHERE rolname = current_user',
      ),
    );
    if (role?.safe !== true)
      throw new HoldfastError('the database role may bypass row-level security', { code: 'ERR_STORE_ROLE' });
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
  return store;
}
