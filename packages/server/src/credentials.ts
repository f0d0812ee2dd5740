/**
 * What a bearer can present: sessions, login codes, API tokens, enrolment tokens. 32 random bytes
 * each, stored as their SHA-256 only; the digest also finds the org it belongs to.
 */
import { sha256Hex } from '@holdfast/crypto';
import type { Store, Transaction } from '@holdfast/store';
import { randomBytes } from 'node:crypto';

export type CredentialKind = 'session' | 'login-code' | 'api-token' | 'enrollment';
export interface Credential {
  readonly orgId: string;
  readonly digest: string;
  readonly kind: CredentialKind;
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  readonly usedAt: Date | null;
  readonly expiresAt: Date | null;
}

export const newSecret = (): string => randomBytes(32).toString('base64url');

export async function storeCredential(
  tx: Transaction,
  credential: {
    orgId: string;
    text: string;
    kind: CredentialKind;
    subject: string;
    detail?: object;
    now: Date;
    expiresAt: Date | null;
  },
): Promise<void> {
  const { orgId, text, kind, subject, detail, now, expiresAt } = credential;
  await tx.query(
    'INSERT INTO credentials (org_id, digest, kind, subject, detail, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [orgId, sha256Hex(text), kind, subject, JSON.stringify(detail ?? {}), now, expiresAt],
  );
}

/** The credential `text` is, when it is of this kind and not expired; used ones are found as well. */
export async function findCredential(
  store: Store,
  text: string,
  kind: CredentialKind,
  now: Date,
): Promise<Credential | undefined> {
  const [row] = await store.withCredential(sha256Hex(text), (tx) =>
    tx.query<Credential>(
      `SELECT org_id AS "orgId", digest, kind, subject, detail, created_at AS "createdAt", used_at AS "usedAt", expires_at AS "expiresAt"
       FROM credentials WHERE kind = $1 AND (expires_at IS NULL OR expires_at > $2)`,
      [kind, now],
    ),
  );
  return row;
}

/** @returns whether it was unused until now; of several at once exactly one gets `true` */
export async function useCredential(tx: Transaction, digest: string, now: Date): Promise<boolean> {
  const rows = await tx.query('UPDATE credentials SET used_at = $2 WHERE digest = $1 AND used_at IS NULL RETURNING 1', [
    digest,
    now,
  ]);
  return rows.length === 1;
}
