/**
 * P-37: durable appends with 64 concurrent callers, against what the disk allows and against one row
 * per commit in SQLite and PostgreSQL.
 *
 * What the disk allows is measured right beside it: write(2) and fdatasync(2) on one thread, nothing
 * else, in chunks of the size the log's group commits had. Each round takes a slice of every
 * contender on the same file system; the ratio is the median of the ratios of the rounds.
 */
import { systemClock } from '@holdfast/guard';
import { signerFromSeed } from '@holdfast/crypto';
import { startEmbeddedPostgres } from '@holdfast/store';
import { costOf, median, perSecond, temporaryDirectory } from '@holdfast/testing';
import { chmodSync, closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { type AuditEntry, type LogFiles, openAuditLog, systemLogFiles } from '../src/index.ts';

const CALLERS = 64;
/** Many short rounds: a disturbance hits some of them, and the median leaves those out. */
const ROUNDS = 60;
const APPENDS_PER_CALLER = 30;
const DISK_SYNCS = 30;
const ROWS = 32;
const CONNECTIONS = 8;

/** As the guard writes one for every request. */
const entry = (n: number): AuditEntry => ({
  actor: 'local:holdfast',
  action: 'request',
  subject: 'services.restore',
  outcome: 'allow',
  detail: { requestId: n, rule: 'services', paramsDigest: 'c0ffee00'.repeat(8), effect: 'allow' },
});

/** The real files, counted: group commits and the bytes in them. */
function countingFiles(): { files: LogFiles; counts: { syncs: number; bytes: number } } {
  const counts = { syncs: 0, bytes: 0 };
  const open: LogFiles['open'] = async (path, mode) => {
    const file = await systemLogFiles.open(path, mode);
    return {
      sizeBytes: () => file.sizeBytes(),
      read: (position, length) => file.read(position, length),
      write: (bytes, position) => {
        counts.bytes += bytes.length;
        return file.write(bytes, position);
      },
      datasync: () => {
        counts.syncs += 1;
        return file.datasync();
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      close: () => file.close(),
    };
  };
  return { files: { ...systemLogFiles, open }, counts };
}

interface Round {
  readonly appendsPerS: number;
  readonly recordsPerGroup: number;
  readonly syncsPerS: number;
  readonly sqlitePerS: number;
  readonly postgresPerS: number;
  readonly cpuPerAppendUs: number;
}

export async function bench() {
  const cleanups: (() => void)[] = [];
  try {
    const rounds = await measure(temporaryDirectory({ after: (fn) => cleanups.push(fn) }));
    const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
    const appends = `${perSecond(of((r) => r.appendsPerS))} (${of((r) => r.recordsPerGroup).toFixed(0)} records a group, ${of((r) => r.cpuPerAppendUs).toFixed(1)} µs of processor each)`;
    return [
      {
        row: 'P-37',
        name: 'durable audit appends, 64 callers',
        measured: appends,
        against: `records a group × ${perSecond(of((r) => r.syncsPerS))} bare fdatasync of a group's bytes`,
        ratio: of((r) => r.appendsPerS / (r.recordsPerGroup * r.syncsPerS)),
        wanted: { atLeast: 0.8 },
      },
      {
        row: 'P-37',
        name: 'durable audit appends against SQLite',
        measured: appends,
        against: `one row a commit (WAL, FULL), ${perSecond(of((r) => r.sqlitePerS))}`,
        ratio: of((r) => r.appendsPerS / r.sqlitePerS),
        wanted: { atLeast: 5 },
      },
      {
        row: 'P-37',
        name: 'durable audit appends against PostgreSQL',
        measured: appends,
        against: `one row a commit over ${CONNECTIONS} connections, ${perSecond(of((r) => r.postgresPerS))}`,
        ratio: of((r) => r.appendsPerS / r.postgresPerS),
        wanted: { atLeast: 5 },
      },
    ];
  } finally {
    for (const cleanup of cleanups.toReversed()) cleanup();
  }
}

async function measure(directory: string): Promise<Round[]> {
  chmodSync(directory, 0o711); // the database user must get through
  const { files, counts } = countingFiles();
  const deps = { signer: signerFromSeed(new Uint8Array(32).fill(7)), clock: systemClock, bootId: 'bench', files };
  await using log = await openAuditLog({ directory: join(directory, 'audit'), ...deps });
  const bare = openSync(join(directory, 'bare'), 'w');
  const sqlite = new DatabaseSync(join(directory, 'peer.sqlite'));
  const abort = new AbortController();
  await using postgres = await startEmbeddedPostgres({ stateDir: join(directory, 'postgres') }, abort.signal);
  const clients = Array.from({ length: CONNECTIONS }, () => new Client({ connectionString: postgres.ownerUrl }));
  try {
    sqlite.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE audit (seq INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT',
    );
    const insert = sqlite.prepare('INSERT INTO audit (line) VALUES (?)');
    await Promise.all(clients.map((client) => client.connect()));
    await clients[0]?.query('CREATE TABLE audit (seq bigserial PRIMARY KEY, line text NOT NULL)');
    const line = `${'0'.repeat(64)} ${JSON.stringify({ seq: 1, prevHash: '0'.repeat(64), ...entry(1) })}`;
    let bareBytes = 0;

    const appendSlice = async (): Promise<void> => {
      await Promise.all(
        Array.from({ length: CALLERS }, async (_, caller) => {
          for (let n = 0; n < APPENDS_PER_CALLER; n++) await log.append(entry(caller * APPENDS_PER_CALLER + n));
        }),
      );
    };
    const diskSlice = (groupBytes: number): void => {
      const group = Buffer.alloc(groupBytes, 0x61);
      for (let n = 0; n < DISK_SYNCS; n++) {
        bareBytes += writeSync(bare, group, 0, group.length, bareBytes);
        fdatasyncSync(bare);
      }
    };
    const sqliteSlice = (): void => {
      for (let n = 0; n < ROWS; n++) insert.run(line);
    };
    const postgresSlice = (): Promise<unknown> =>
      Promise.all(
        clients.map(async (client) => {
          for (let n = 0; n < ROWS / CONNECTIONS; n++)
            await client.query({ name: 'append', text: 'INSERT INTO audit (line) VALUES ($1)', values: [line] });
        }),
      );

    const rounds: Round[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      counts.syncs = 0;
      counts.bytes = 0;
      const appended = await costOf(appendSlice);
      const records = CALLERS * APPENDS_PER_CALLER;
      const { syncs, bytes } = counts;
      const disk = await costOf(() => diskSlice(Math.round(bytes / syncs)));
      const rows = await costOf(sqliteSlice);
      const served = await costOf(postgresSlice);
      if (round === 0) continue; // compiles what the others run
      rounds.push({
        appendsPerS: records / appended.wallS,
        recordsPerGroup: records / syncs,
        syncsPerS: DISK_SYNCS / disk.wallS,
        sqlitePerS: ROWS / rows.wallS,
        postgresPerS: ROWS / served.wallS,
        cpuPerAppendUs: (appended.cpuS / records) * 1e6,
      });
    }
    return rounds;
  } finally {
    closeSync(bare);
    sqlite.close();
    await Promise.all(clients.map((client) => client.end()));
  }
}
