/**
 * Enrolment (T-08, T-18): a one-time token, a host key that is proven to be held and pinned from now
 * on, and the first certificate. The same token with the same keys gives the same host again, so
 * that an answer that was lost can be asked for once more.
 */
import {
  type EnrollRequest,
  EnrollRequestSchema,
  EnrollResponseSchema,
  RenewRequestSchema,
  RenewResponseSchema,
  type Trust,
} from '@holdfast/api';
import { formatUuidV7, HoldfastError } from '@holdfast/core';
import { keyIdOf, sha256Hex, verifyEd25519 } from '@holdfast/crypto';
import type { Transaction } from '@holdfast/store';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { nowOf, type ServerContext } from '../context.ts';
import { type Credential, findCredential, newSecret, storeCredential, useCredential } from '../credentials.ts';
import type { Router } from '../http/route.ts';
import { appendTimeline } from '../ingest/timeline.ts';
import type { AuthenticatedHost } from '../ingest/verify-upload.ts';
import { appendEvents } from '../live/events.ts';
import type { IssuedCertificate } from '../pki/certificate-authority.ts';
import { EXPIRED_RENEWAL_MS } from './host-identity.ts';

const DetailSchema = z.strictObject({
  siteId: z.string(),
  labels: z.record(z.string(), z.string()),
  hostId: z.string(),
  enrolledKey: z.string().optional(),
});
const refused = (): HoldfastError => new HoldfastError('enrolment refused', { code: 'ERR_SERVER_ENROLLMENT_REFUSED' });

export interface EnrollmentTokenOptions {
  readonly siteId?: string | undefined;
  readonly ttlS: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** Makes a token `hf1.<secret>.<CA fingerprint>`; shown once, stored hashed. The host's id is fixed with it. */
export async function createEnrollmentToken(
  context: ServerContext,
  orgId: string,
  createdBy: string,
  options: EnrollmentTokenOptions,
): Promise<{ token: string; expiresAt: Date }> {
  const now = nowOf(context);
  const token = `hf1.${newSecret()}.${context.authority.fingerprint}`;
  const expiresAt = new Date(now.getTime() + options.ttlS * 1_000);
  const hostId = `h-${formatUuidV7(now.getTime(), randomBytes(10))}`;
  await context.store.withOrg(orgId, async (tx) => {
    const siteId = options.siteId ?? 'default';
    const sites = await tx.query('SELECT 1 FROM sites WHERE site_id = $1', [siteId]);
    if (sites.length === 0) throw new HoldfastError('no such site', { code: 'ERR_SERVER_NOT_FOUND' });
    const detail = { siteId, labels: options.labels, hostId };
    await storeCredential(tx, { orgId, text: token, kind: 'enrollment', subject: createdBy, detail, now, expiresAt });
  });
  return { token, expiresAt };
}

/** @throws `ERR_SERVER_ENROLLMENT_REFUSED` unless the host key signed this token and this request */
function requireProof(request: EnrollRequest): Uint8Array {
  const publicKey = Buffer.from(request.hostPublicKey, 'base64');
  const text = `holdfast-enroll-v1\n${request.token}\n${sha256Hex(request.csrPem)}`;
  const proof = Buffer.from(request.proof, 'base64');
  if (publicKey.length !== 32 || proof.length !== 64 || !verifyEd25519(publicKey, Buffer.from(text), proof))
    throw refused();
  return publicKey;
}

async function recordCertificate(
  tx: Transaction,
  orgId: string,
  hostId: string,
  { serial, notAfter }: IssuedCertificate,
  now: Date,
): Promise<void> {
  await tx.query('INSERT INTO host_certificates (org_id, serial, host_id, not_after) VALUES ($1, $2, $3, $4)', [
    orgId,
    serial,
    hostId,
    notAfter,
  ]);
  // Kept as long as one may renew with it.
  await tx.query('DELETE FROM host_certificates WHERE host_id = $1 AND not_after < $2', [
    hostId,
    new Date(now.getTime() - EXPIRED_RENEWAL_MS),
  ]);
}

async function enrolNew(
  tx: Transaction,
  credential: Credential,
  detail: z.infer<typeof DetailSchema>,
  request: EnrollRequest,
  publicKey: Uint8Array,
  now: Date,
): Promise<void> {
  const { orgId } = credential;
  const keyId = keyIdOf(publicKey);
  // One host per key: the same key under another token would be a clone (T-18).
  const taken = await tx.query<{ host_id: string }>('SELECT host_id FROM host_keys WHERE key_id = $1', [keyId]);
  if (taken.length > 0) throw refused();
  await tx.query('UPDATE credentials SET detail = $2 WHERE digest = $1', [
    credential.digest,
    JSON.stringify({ ...detail, enrolledKey: keyId }),
  ]);
  await tx.query(
    'INSERT INTO hosts (org_id, host_id, site_id, name, simulated, platform, labels, enrolled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
    [
      orgId,
      detail.hostId,
      detail.siteId,
      request.hostName,
      request.simulated,
      JSON.stringify(request.platform),
      JSON.stringify({ ...request.labels, ...detail.labels }),
      now,
    ],
  );
  await tx.query(
    'INSERT INTO host_keys (org_id, host_id, key_id, public_key, valid_from) VALUES ($1, $2, $3, $4, $5)',
    [orgId, detail.hostId, keyId, publicKey, now],
  );
  await appendTimeline(tx, orgId, detail.hostId, [
    {
      at: now.toISOString(),
      kind: 'enrolled',
      title: 'enrolled',
      severity: 'info',
      bundleId: null,
      remediationId: null,
    },
  ]);
}

async function enrol(context: ServerContext, request: EnrollRequest): Promise<z.infer<typeof EnrollResponseSchema>> {
  const now = nowOf(context);
  const publicKey = requireProof(request);
  const credential = await findCredential(context.store, request.token, 'enrollment', now);
  if (credential === undefined) throw refused();
  const { orgId, digest } = credential;
  const { hostId, siteId } = DetailSchema.parse(credential.detail);
  const certificate = await context.authority.certifyHost(request.csrPem, { orgId, hostId }, now.getTime());
  const hostName = await context.store.withOrg(orgId, async (tx) => {
    // The row is ours from here: of several at once, the second waits and then sees who enrolled.
    const first = await useCredential(tx, digest, now);
    const [row] = await tx.query<{ detail: unknown }>('SELECT detail FROM credentials WHERE digest = $1', [digest]);
    const detail = DetailSchema.parse(row?.detail);
    if (first) await enrolNew(tx, credential, detail, request, publicKey, now);
    else if (detail.enrolledKey !== keyIdOf(publicKey)) throw refused();
    const [host] = await tx.query<{ name: string }>(
      'SELECT name FROM hosts WHERE host_id = $1 AND deleted_at IS NULL',
      [hostId],
    );
    if (host === undefined) throw refused();
    await tx.query('UPDATE host_certificates SET superseded_at = $2 WHERE host_id = $1 AND superseded_at IS NULL', [
      hostId,
      now,
    ]);
    await recordCertificate(tx, orgId, hostId, certificate, now);
    await appendEvents(tx, orgId, [{ kind: 'host', hostId, id: hostId }], now);
    return host.name;
  });
  const trust: Trust = {
    version: 1,
    orgId,
    siteId,
    hostId,
    hostName,
    serverUrl: context.agentUrl(),
    caPem: context.authority.pem,
    logOrigin: context.logOrigin(orgId),
    keys: [...context.pinnedKeys],
  };
  return { trust, certificatePem: certificate.pem };
}

export function addEnrollmentRoute(router: Router<null>, context: ServerContext): void {
  router.add({
    method: 'POST',
    path: '/enroll',
    summary: 'Enrol a host with a one-time token',
    body: EnrollRequestSchema,
    response: EnrollResponseSchema,
    handle: async ({ body, request }) => {
      const address = request.ip;
      context.failedLogins.check(address); // T-12: failures count, a fleet that enrols does not
      try {
        return await enrol(context, body);
      } catch (error) {
        context.failedLogins.hit(address);
        throw error;
      }
    },
  });
}

/** The router authenticates with `authenticateForRenewal`. */
export function addRenewalRoute(router: Router<AuthenticatedHost>, context: ServerContext): void {
  router.add({
    method: 'POST',
    path: '/agent/renew',
    summary: 'Renew the certificate of the calling host',
    body: RenewRequestSchema,
    response: RenewResponseSchema,
    handle: async ({ principal: { orgId, hostId }, body }) => {
      const now = nowOf(context);
      const certificate = await context.authority.certifyHost(body.csrPem, { orgId, hostId }, now.getTime());
      await context.store.withOrg(orgId, (tx) => recordCertificate(tx, orgId, hostId, certificate, now));
      return { certificatePem: certificate.pem };
    },
  });
}
