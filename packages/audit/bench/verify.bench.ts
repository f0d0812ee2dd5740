/**
 * P-38: verifying a log against hashing its bytes, both per second of this process's processor time.
 *
 * The peer of the bound is OpenSSL's SHA-256 over the same records, one by one: a hash chain is
 * verified record by record, so nobody verifies this log with fewer calls. The same bytes in one
 * stream are printed too, without a bound: at some 450 bytes a record the call costs more than the
 * hashing, and no verifier that makes one call a record comes near half of that.
 */
import { systemClock } from '@holdfast/guard';
import { signerFromSeed } from '@holdfast/crypto';
import { costOf, median, perSecond, temporaryDirectory } from '@holdfast/testing';
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openAuditLog, systemLogFiles, verifyAuditLog } from '../src/index.ts';

const RECORDS = 40_000;
const ROUNDS = 15;
const HASH_CHARS = 64;

const openUnsynced: typeof systemLogFiles.open = async (path, mode) =>
  Object.assign(await systemLogFiles.open(path, mode), { datasync: async () => undefined });

/** A log of `RECORDS` records as the guard writes them; not synced, which is not what is measured. */
async function fillLog(directory: string): Promise<Uint8Array> {
  const signer = signerFromSeed(new Uint8Array(32).fill(7));
  const files = { ...systemLogFiles, open: openUnsynced };
  await using log = await openAuditLog({ directory, signer, clock: systemClock, bootId: 'bench', files });
  const detail = { rule: 'services', paramsDigest: 'c0ffee00'.repeat(8), effect: 'allow' };
  const entry = { actor: 'local:holdfast', action: 'request', subject: 'services.restore', outcome: 'allow' };
  await Promise.all(
    Array.from({ length: RECORDS }, (_, requestId) => log.append({ ...entry, detail: { requestId, ...detail } })),
  );
  return signer.publicKey;
}

export async function bench() {
  const cleanups: (() => void)[] = [];
  try {
    const directory = temporaryDirectory({ after: (fn) => cleanups.push(fn) });
    const publicKeys = [await fillLog(directory)];
    const segments = readdirSync(directory).filter((name) => name.endsWith('.audit'));
    const files = segments.map((name) => readFileSync(join(directory, name)));
    const bodies = files.flatMap(bodiesOf);
    const whole = Buffer.concat(bodies);
    const verifyS: number[] = [];
    const oneByOneS: number[] = [];
    const streamS: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const verified = await costOf(async () => {
        const { ok, records } = await verifyAuditLog(directory, { publicKeys });
        if (!ok || records !== RECORDS) throw new Error('a good log does not verify');
      });
      const oneByOne = await costOf(() => {
        for (const body of bodies) hash('sha256', body, 'hex');
      });
      const stream = await costOf(() => hash('sha256', whole, 'hex'));
      if (round === 0) continue; // compiles what the others run
      verifyS.push(verified.cpuS);
      oneByOneS.push(oneByOne.cpuS);
      streamS.push(stream.cpuS);
    }
    const rate = (seconds: readonly number[]): string =>
      `${perSecond(RECORDS / median(seconds))} records, ${Math.round(whole.length / median(seconds) / 1e6)} MB/s`;
    const figure = { row: 'P-38', name: 'verification of an audit log', measured: rate(verifyS) };
    return [
      {
        ...figure,
        against: `SHA-256 of the same records one by one, ${rate(oneByOneS)}`,
        ratio: median(oneByOneS) / median(verifyS),
        wanted: { atLeast: 0.5 },
      },
      {
        ...figure,
        against: `SHA-256 of the same bytes in one stream, ${rate(streamS)}`,
        ratio: median(streamS) / median(verifyS),
        wanted: null,
      },
    ];
  } finally {
    for (const cleanup of cleanups.toReversed()) cleanup();
  }
}

/** What is hashed of each line: everything behind its hash and the space. */
function bodiesOf(bytes: Buffer): Buffer[] {
  const bodies: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0x0a, start);
    bodies.push(bytes.subarray(start + HASH_CHARS + 1, end));
    start = end + 1;
  }
  return bodies;
}
