/**
 * Who is calling on the agent listener (T-08): a host with a certificate of ours that still counts.
 * A host that was away longer than its certificate lasts comes back by itself (C-33): to renew, and
 * for nothing else, a certificate counts for some time after it ended.
 */
import { HoldfastError } from '@holdfast/core';
import type { EvidenceKey } from '@holdfast/evidence';
import type { FastifyRequest } from 'fastify';
import { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { nowOf, type ServerContext } from '../context.ts';
import type { AuthenticatedHost } from '../ingest/verify-upload.ts';
import { parseHostIdentity } from '../pki/certificate-authority.ts';

const refused = (): HoldfastError =>
  new HoldfastError('no valid host certificate', { code: 'ERR_SERVER_UNAUTHENTICATED' });

const DAY_MS = 86_400_000;
/** How long after its end a certificate may still be renewed with. */
export const EXPIRED_RENEWAL_MS = 30 * DAY_MS;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'; // RFC 5280 §4.2.1.12

interface HostRow {
  readonly site_id: string;
  readonly name: string;
}

/** Whether the only thing wrong with the peer's certificate is that its time is over. */
function isExpiredButOurs(context: ServerContext, socket: TLSSocket, raw: Buffer): boolean {
  // OpenSSL tells the last of its findings: an issuer that is not ours may hide behind the expiry, so we look ourselves.
  if (String(socket.authorizationError) !== 'CERT_HAS_EXPIRED') return false;
  const authority = new X509Certificate(context.authority.pem);
  const certificate = new X509Certificate(raw);
  return (
    !certificate.ca &&
    certificate.checkIssued(authority) &&
    certificate.verify(authority.publicKey) &&
    certificate.keyUsage.includes(CLIENT_AUTH) // node gives the extended key usage under this name
  );
}

/** @throws `ERR_SERVER_UNAUTHENTICATED` */
export const authenticateHost = (context: ServerContext, request: FastifyRequest): Promise<AuthenticatedHost> =>
  authenticate(context, request, 0);

/**
 * As `authenticateHost`, but also with a certificate that ended up to 30 days ago: its serial is
 * known, it was not superseded by a new enrolment, and the host was not removed.
 *
 * @throws `ERR_SERVER_UNAUTHENTICATED`
 */
export const authenticateForRenewal = (context: ServerContext, request: FastifyRequest): Promise<AuthenticatedHost> =>
  authenticate(context, request, EXPIRED_RENEWAL_MS);

async function authenticate(
  context: ServerContext,
  request: FastifyRequest,
  graceMs: number,
): Promise<AuthenticatedHost> {
  const { socket } = request.raw;
  if (!(socket instanceof TLSSocket)) throw refused();
  const certificate = socket.getPeerCertificate();
  // Chained to our CA, and in time when it connected.
  if (!socket.authorized && !(graceMs > 0 && isExpiredButOurs(context, socket, certificate.raw))) throw refused();
  const identity = parseHostIdentity(certificate.subjectaltname);
  const now = nowOf(context);
  const endedAfter = new Date(now.getTime() - graceMs);
  // A connection may outlive the certificate it was opened with.
  if (identity === undefined || new Date(certificate.valid_to) <= endedAfter) throw refused();
  const { orgId, hostId } = identity;
  return context.store.withOrg(orgId, async (tx) => {
    const [host] = await tx.query<HostRow>(
      `SELECT h.site_id, h.name FROM hosts h JOIN host_certificates c USING (org_id, host_id)
       WHERE h.host_id = $1 AND h.deleted_at IS NULL AND c.serial = $2 AND c.superseded_at IS NULL AND c.not_after > $3`,
      [hostId, certificate.serialNumber.toLowerCase(), endedAfter],
    );
    if (host === undefined) throw refused();
    const keys = await tx.query<{ public_key: Uint8Array; valid_to: Date | null }>(
      'SELECT public_key, valid_to FROM host_keys WHERE host_id = $1',
      [hostId],
    );
    return {
      orgId,
      hostId,
      siteId: host.site_id,
      hostName: host.name,
      keys: keys.map(({ public_key, valid_to }): EvidenceKey => ({
        publicKey: public_key,
        hostId,
        // Pinned from enrolment on, and what was signed before it may still arrive; only an end counts (P-04).
        validity: { validFrom: '1970-01-01T00:00:00.000Z', validTo: valid_to?.toISOString() ?? null },
      })),
    };
  });
}
