/** Who is calling on the agent listener (T-08): a host with a certificate of ours that still counts. */
import { HoldfastError } from '@holdfast/core';
import type { EvidenceKey } from '@holdfast/evidence';
import type { FastifyRequest } from 'fastify';
import { TLSSocket } from 'node:tls';
import { nowOf, type ServerContext } from '../context.ts';
import type { AuthenticatedHost } from '../ingest/verify-upload.ts';
import { parseHostIdentity } from '../pki/certificate-authority.ts';

const refused = (): HoldfastError =>
  new HoldfastError('no valid host certificate', { code: 'ERR_SERVER_UNAUTHENTICATED' });

interface HostRow {
  readonly site_id: string;
  readonly name: string;
}

/** @throws `ERR_SERVER_UNAUTHENTICATED` */
export async function authenticateHost(context: ServerContext, request: FastifyRequest): Promise<AuthenticatedHost> {
  const { socket } = request.raw;
  if (!(socket instanceof TLSSocket) || !socket.authorized) throw refused(); // chained to our CA, in time when it connected
  const certificate = socket.getPeerCertificate();
  const identity = parseHostIdentity(certificate.subjectaltname);
  const now = nowOf(context);
  // A connection may outlive the certificate it was opened with.
  if (identity === undefined || new Date(certificate.valid_to) <= now) throw refused();
  const { orgId, hostId } = identity;
  return context.store.withOrg(orgId, async (tx) => {
    const [host] = await tx.query<HostRow>(
      `SELECT h.site_id, h.name FROM hosts h JOIN host_certificates c USING (org_id, host_id)
       WHERE h.host_id = $1 AND h.deleted_at IS NULL AND c.serial = $2 AND c.superseded_at IS NULL AND c.not_after > $3`,
      [hostId, certificate.serialNumber.toLowerCase(), now],
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
