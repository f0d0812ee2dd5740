/**
 * The first start on a database: org, default site, owner, and an API token for this machine's
 * command line. Secrets go into files of the state directory, mode 0600, before their digests are
 * committed, so that a start that was interrupted is simply done again.
 */
import type { Store } from '@holdfast/store';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerConfig } from './config.ts';
import { findCredential, newSecret, storeCredential } from './credentials.ts';
import { hashPassword } from './passwords.ts';
import { writeSecretFile } from './secret-file.ts';

export const OWNER_ID = 'owner';
const TOKEN_SUBJECT = 'token:operator';

export async function prepareOrg(store: Store, config: ServerConfig, now: Date): Promise<void> {
  const { orgId, orgName, stateDir } = config;
  await store.withoutOrg((tx) =>
    tx.query('INSERT INTO orgs (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING', [orgId, orgName]),
  );
  const hasOwner = await store.withOrg(orgId, async (tx) => {
    await tx.query(
      "INSERT INTO sites (org_id, site_id, name) VALUES ($1, 'default', 'Default') ON CONFLICT DO NOTHING",
      [orgId],
    );
    await tx.query("INSERT INTO log_state (org_id, size, frontier) VALUES ($1, 0, '{}') ON CONFLICT DO NOTHING", [
      orgId,
    ]);
    await tx.query('INSERT INTO event_state (org_id, seq) VALUES ($1, 0) ON CONFLICT DO NOTHING', [orgId]);
    return (await tx.query('SELECT 1 FROM users WHERE user_id = $1', [OWNER_ID])).length > 0;
  });
  if (!hasOwner) {
    const password = newSecret();
    writeSecretFile(join(stateDir, 'owner-password'), `${password}\n`);
    const { salt, hash } = await hashPassword(password);
    await store.withOrg(orgId, (tx) =>
      tx.query(
        `INSERT INTO users (org_id, user_id, name, role, password_salt, password_hash) VALUES ($1, $2, 'owner', 'owner', $3, $4) ON CONFLICT DO NOTHING`,
        [orgId, OWNER_ID, salt, hash],
      ),
    );
  }
  const tokenPath = join(stateDir, 'operator-token');
  const present = existsSync(tokenPath) ? readFileSync(tokenPath, 'utf8').trim() : '';
  if (present !== '' && (await findCredential(store, present, 'api-token', now)) !== undefined) return;
  const token = `hft_${newSecret()}`;
  writeSecretFile(tokenPath, `${token}\n`);
  await store.withOrg(orgId, (tx) =>
    storeCredential(tx, { orgId, text: token, kind: 'api-token', subject: TOKEN_SUBJECT, now, expiresAt: null }),
  );
}
