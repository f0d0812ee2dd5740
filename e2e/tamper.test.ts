/** One byte changed in any bundle, audit segment or database row is found and named, and nothing else is (P-25, P-29, P-35). */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { IntegrityReportSchema } from '@holdfast/api';
import { needs } from '@holdfast/testing';
import { Client } from 'pg';
import { holdfast } from './holdfast.ts';
import { Site } from './site.ts';

const never = new AbortController().signal;
const HOST = 'web-1';

type Problem = (typeof IntegrityReportSchema)['_output']['problems'][number];

/** The same bytes with one bit of one byte flipped. */
function flip(bytes: Uint8Array, at: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

async function write(site: Site, path: string, bytes: Uint8Array): Promise<void> {
  // In place: owner, mode and inode stay, as after a bad sector or a careful intruder.
  const { exitCode } = await site.lab.exec(HOST, ['/usr/bin/dd', `of=${path}`, 'conv=notrunc', 'status=none'], never, {
    stdin: bytes,
  });
  assert.equal(exitCode, 0);
}

/** Changes some bytes of a file, sees that verification names it, puts it back, sees that all is well again. */
async function tamper(
  site: Site,
  path: string,
  positions: (sizeBytes: number) => readonly number[],
  verdict: () => Promise<{ exitCode: number | null; stdout: string }>,
  naming: RegExp,
): Promise<void> {
  const original = await site.lab.readFile(HOST, path, never);
  for (const at of positions(original.length)) {
    await write(site, path, flip(original, at));
    const changed = await verdict();
    assert.equal(changed.exitCode, 1, `byte ${at} of ${path}: ${changed.stdout}`);
    assert.match(changed.stdout, naming, `byte ${at} of ${path}`);
    assert.match(changed.stdout, /NOT VERIFIED/);
  }
  await write(site, path, original);
  const restored = await verdict();
  assert.equal(restored.exitCode, 0, restored.stdout);
}

const spread = (size: number): number[] => [0, Math.floor(size / 3), Math.floor(size / 2), size - 2];

describe('tampering', needs('lab-hosts'), () => {
  it('P-25, P-29, P-35: one changed byte is found and named, wherever it is', async (t) => {
    const site = await Site.start(t, { hosts: 1 });
    // What is at rest is what is tampered with: a running guard would go on writing meanwhile.
    for (const unit of ['holdfast-agent.service', 'holdfast-watchdog.timer', 'holdfast-guard.service']) {
      await site.lab.stopUnit(HOST, unit, never);
    }

    await t.test('P-29: a bundle on the host', async () => {
      const { stdout } = await site.exec(
        HOST,
        '/usr/bin/find',
        '/var/lib/holdfast/evidence',
        '-name',
        'bundle.dsse.json',
      );
      const path = stdout.split('\n').toSorted().at(-1) ?? '';
      const bundleId = path.split('/').at(-2) ?? '';
      await tamper(site, path, spread, async () => site.inHost(HOST, 'evidence', 'verify'), new RegExp(bundleId));
    });

    await t.test('P-25: a segment of the audit log', async () => {
      const path = '/var/lib/holdfast/guard/audit/0000000000000001.audit';
      await tamper(
        site,
        path,
        spread,
        async () => site.inHost(HOST, 'audit', 'verify'),
        /FAIL {2}\S+ in 0000000000000001\.audit at byte \d+/,
      );
    });

    await t.test('P-25: the signed head of the audit log', async () => {
      const path = '/var/lib/holdfast/guard/audit/head.dsse.json';
      await tamper(site, path, spread, async () => site.inHost(HOST, 'audit', 'verify'), /FAIL/);
    });

    await tamperRows(t, site);
  });
});

/** `bytea` columns get their first byte changed, others what the row says. */
const ROWS: readonly {
  readonly table: string;
  readonly column: string;
  readonly change: string;
  readonly naming: (problem: Problem) => boolean;
}[] = [
  {
    table: 'evidence',
    column: 'envelope',
    change: 'set_byte(envelope, 100, get_byte(envelope, 100) # 1)',
    naming: ({ table, bundleId }) => table === 'evidence' && bundleId !== null,
  },
  {
    table: 'evidence',
    column: 'outcome',
    change: "'committed'",
    naming: ({ table, problem }) => table === 'evidence' && problem === 'outcome',
  },
  {
    table: 'evidence',
    column: 'started',
    change: "started - interval '1 millisecond'",
    naming: ({ table, problem }) => table === 'evidence' && problem === 'started',
  },
  {
    table: 'evidence',
    column: 'digest',
    change: 'reverse(digest)',
    naming: ({ table, problem }) => table === 'evidence' && problem === 'digest',
  },
  {
    table: 'evidence',
    column: 'received_at',
    change: "received_at + interval '3 days'",
    naming: ({ table, problem }) => table === 'evidence' && problem === 'late',
  },
  {
    table: 'log_leaves',
    column: 'leaf_hash',
    change: 'set_byte(leaf_hash, 7, get_byte(leaf_hash, 7) # 1)',
    naming: ({ table, problem }) => table === 'log_leaves' && problem === 'leaf_hash',
  },
  {
    table: 'log_nodes',
    column: 'hash',
    change: 'set_byte(hash, 31, get_byte(hash, 31) # 128)',
    naming: ({ table, problem }) => table === 'log_nodes' && problem === 'hash',
  },
  {
    table: 'checkpoints',
    column: 'root',
    change: 'set_byte(root, 0, get_byte(root, 0) # 1)',
    naming: ({ table, problem }) => table === 'checkpoints' && problem === 'root',
  },
  {
    table: 'checkpoints',
    column: 'note',
    change: "overlay(note placing 'A' from length(note) - 10)",
    naming: ({ table, problem }) => table === 'checkpoints' && problem === 'note',
  },
  {
    table: 'log_state',
    column: 'frontier',
    change: 'array[set_byte(frontier[1], 3, get_byte(frontier[1], 3) # 1)] || frontier[2:]',
    naming: ({ table, problem }) => table === 'log_state' && problem === 'frontier',
  },
];

async function tamperRows(t: TestContext, site: Site): Promise<void> {
  const socketDirectory = join(site.state, 'server/postgres/socket');
  // As the database's own superuser: row-level security and grants do not hold whoever has the disk.
  const database = new Client({ host: socketDirectory, user: 'holdfast_owner', database: 'holdfast' });
  await database.connect();
  try {
    await tamperEach(t, site, database);
  } finally {
    await database.end();
  }
}

async function tamperEach(t: TestContext, site: Site, database: Client): Promise<void> {
  const verify = async (): Promise<readonly Problem[]> => {
    const { exitCode, stdout } = await holdfast('server', 'verify', '--state', site.state, '--json');
    const { problems, checked } = IntegrityReportSchema.parse(JSON.parse(stdout));
    assert.ok(checked > 0);
    assert.equal(exitCode, problems.length === 0 ? 0 : 1);
    return problems;
  };
  assert.deepEqual(await verify(), []);
  for (const { table, column, change, naming } of ROWS) {
    await t.test(`P-35: ${table}.${column} in the database`, async () => {
      const one = `ctid = (SELECT ctid FROM ${table} ORDER BY ctid LIMIT 1)`;
      await database.query('CREATE TEMP TABLE original (LIKE ' + table + ')');
      await database.query(`INSERT INTO original OVERRIDING SYSTEM VALUE SELECT * FROM ${table} WHERE ${one}`);
      const { rows } = await database.query<{ place: string }>(
        `UPDATE ${table} SET ${column} = ${change} WHERE ${one} RETURNING ctid::text AS place`,
      );
      assert.equal(rows.length, 1);
      const problems = await verify();
      assert.ok(problems.some(naming), JSON.stringify(problems));
      await database.query(`UPDATE ${table} SET ${column} = (SELECT ${column} FROM original) WHERE ctid = $1::tid`, [
        rows[0]?.place,
      ]);
      await database.query('DROP TABLE original');
      assert.deepEqual(await verify(), [], 'put back, it verifies again');
    });
  }
}
