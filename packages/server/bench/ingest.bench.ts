/**
 * P-39: signature-checked ingest against the raw Ed25519 verify rate, both per second of this
 * process's CPU time, taken in turns so that what else the machine does weighs on both alike.
 */
import { verifyEd25519 } from '@holdfast/crypto';
import { openStore } from '@holdfast/store';
import { join } from 'node:path';
import { type AuthenticatedHost, ingestBundles } from '../src/index.ts';
import { openTestBed } from '../test/test-bed.ts';

/** A server runs for weeks: what it still compiles in the first rounds is not its rate. */
const WARM_UP = 6;
const ROUNDS = 14;
const BATCH = 200;

const cpuSeconds = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
};

export async function bench() {
  await using bed = await openTestBed();
  const host = await bed.enrol();
  const socket = encodeURIComponent(join(bed.stateDir, 'postgres', 'socket'));
  const appUrl = `postgres://holdfast_app@/holdfast?host=${socket}`;
  await using store = await openStore({ ownerUrl: appUrl, appUrl });
  const { orgId, siteId, hostId, hostName, logOrigin } = host.trust;
  const { publicKey } = host.signer;
  const identity: AuthenticatedHost = { orgId, siteId, hostId, hostName, keys: [{ publicKey, hostId }] };
  const deps = { store, logSigner: host.signer, logOrigin: () => logOrigin };
  let rawS = 0;
  let ingestS = 0;
  let wallMs = 0;
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const bundles = Array.from({ length: BATCH }, () => host.seal());
    const signed = bundles.map(({ bytes }) => ({ bytes, signature: host.signer.sign(bytes) }));
    const uploads = bundles.map(({ bundleId, bytes }) => ({
      bundleId,
      envelope: Buffer.from(bytes).toString('base64'),
    }));
    const raw = process.cpuUsage();
    for (const { bytes, signature } of signed)
      if (!verifyEd25519(publicKey, bytes, signature)) throw new Error('a good signature does not verify');
    const rawRoundS = cpuSeconds(raw);
    const ingest = process.cpuUsage();
    const startMs = performance.now();
    const results = await ingestBundles(deps, identity, uploads, Date.now());
    if (results.some(({ status }) => status !== 'accepted')) throw new Error('a good bundle was not accepted');
    if (round < WARM_UP) continue;
    rawS += rawRoundS;
    ingestS += cpuSeconds(ingest);
    wallMs += performance.now() - startMs;
  }
  const count = ROUNDS * BATCH;
  const rate = (seconds: number): string => `${Math.round(count / seconds).toLocaleString('en')}/s`;
  return [
    {
      row: 'P-39',
      name: 'evidence ingest, one server core',
      measured: `${rate(ingestS)} per core (${rate(wallMs / 1_000)} by the clock, database included)`,
      against: `raw Ed25519 verifications, ${rate(rawS)}`,
      ratio: rawS / ingestS,
      wanted: { atLeast: 0.5 },
    },
  ];
}
