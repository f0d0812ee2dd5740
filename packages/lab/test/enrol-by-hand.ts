/** Run inside a lab host: makes the host's key and writes what an enrolment would have, without a server. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { hostPaths, TrustSchema } from '@holdfast/api';
import { generateSigner } from '@holdfast/crypto';

const paths = hostPaths('/');
mkdirSync('/var/lib/holdfast/guard/keys', { recursive: true, mode: 0o700 });
const { keyId, publicKey } = generateSigner(paths.hostKey);
const trust = TrustSchema.parse({
  version: 1,
  orgId: '01920000-0000-7000-8000-000000000001',
  siteId: '01920000-0000-7000-8000-000000000002',
  hostId: '01920000-0000-7000-8000-000000000003',
  hostName: 'web-1',
  serverUrl: 'https://server.lab.internal:7443/',
  caPem: '',
  logOrigin: 'lab.internal/log',
  keys: [
    {
      keyId,
      publicKey: Buffer.from(publicKey).toString('base64'),
      purposes: ['baseline'],
      validFrom: '2020-01-01T00:00:00.000Z',
      validTo: null,
    },
  ],
});
writeFileSync(paths.trust, JSON.stringify(trust), { mode: 0o644 });
