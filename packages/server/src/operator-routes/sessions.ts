/**
 * Signing in and being recognised (T-06, first form): the owner's password or a one-time login code
 * gives a session cookie; API tokens come as Bearer. Mutations by cookie need the CSRF token.
 */
import { LoginRequestSchema, SessionSchema } from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { Store } from '@holdfast/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { nowOf, type ServerContext } from '../context.ts';
import { findCredential, newSecret, storeCredential, useCredential } from '../credentials.ts';
import type { Router } from '../http/route.ts';
import { isPassword } from '../passwords.ts';

export const SESSION_COOKIE = 'holdfast_session';
/** T-06. */
const IDLE_MS = 15 * 60_000;
/** However busy, a session ends. */
const MAX_SESSION_MS = 12 * 3_600_000;
const LOCK_MS = 15 * 60_000;
const MAX_FAILURES = 5;
export const LOGIN_CODE_MS = 10 * 60_000;

export interface Operator {
  readonly orgId: string;
  readonly subject: string;
  /** `undefined` for API tokens. */
  readonly session: { readonly text: string; readonly csrfToken: string; readonly expiresAt: Date } | undefined;
}

const unauthenticated = (): HoldfastError => new HoldfastError('not signed in', { code: 'ERR_SERVER_UNAUTHENTICATED' });
const forbidden = (): HoldfastError => new HoldfastError('not allowed', { code: 'ERR_SERVER_FORBIDDEN' });

function readCookie(header: string | undefined): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const [name, value] = part.trim().split('=', 2);
    if (name === SESSION_COOKIE && value !== undefined && value !== '') return value;
  }
  return undefined;
}

/** @returns `undefined` for whoever is not known. Does not look at CSRF: only for reads and upgrades */
export async function identify(
  store: Store,
  headers: IncomingMessage['headers'],
  now: Date,
): Promise<Operator | undefined> {
  const bearer = /^Bearer (hft_[A-Za-z0-9_-]{20,100})$/.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) {
    const token = await findCredential(store, bearer, 'api-token', now);
    return token && { orgId: token.orgId, subject: token.subject, session: undefined };
  }
  const text = readCookie(headers.cookie);
  const session = text === undefined ? undefined : await findCredential(store, text, 'session', now);
  if (text === undefined || session === undefined || session.expiresAt === null) return undefined;
  if (now.getTime() - session.createdAt.getTime() > MAX_SESSION_MS) return undefined;
  const { csrfToken } = session.detail;
  if (typeof csrfToken !== 'string') return undefined;
  let { expiresAt } = session;
  if (expiresAt.getTime() - now.getTime() < IDLE_MS - 60_000) {
    expiresAt = new Date(now.getTime() + IDLE_MS);
    await store.withOrg(session.orgId, (tx) =>
      tx.query('UPDATE credentials SET expires_at = $2 WHERE digest = $1', [session.digest, expiresAt]),
    );
  }
  return { orgId: session.orgId, subject: session.subject, session: { text, csrfToken, expiresAt } };
}

/** @throws `ERR_SERVER_UNAUTHENTICATED`, `ERR_SERVER_FORBIDDEN` for a mutation by cookie without its CSRF token */
export async function authenticateOperator(context: ServerContext, request: FastifyRequest): Promise<Operator> {
  const operator = await identify(context.store, request.headers, nowOf(context));
  if (operator === undefined) throw unauthenticated();
  const isMutation = request.method !== 'GET' && request.method !== 'HEAD';
  if (isMutation && operator.session !== undefined && request.headers['x-csrf-token'] !== operator.session.csrfToken)
    throw forbidden();
  return operator;
}

interface UserRow {
  readonly user_id: string;
  readonly password_salt: Uint8Array;
  readonly password_hash: Uint8Array;
  readonly locked_until: Date | null;
}

async function signInByPassword(context: ServerContext, name: string, password: string, now: Date): Promise<string> {
  const [user] = await context.store.withOrg(context.orgId, (tx) =>
    tx.query<UserRow>('SELECT user_id, password_salt, password_hash, locked_until FROM users WHERE name = $1', [name]),
  );
  // The same work whether or not there is such a user: time tells nothing.
  const fits = await isPassword(
    password,
    user?.password_salt ?? Buffer.alloc(16),
    user?.password_hash ?? Buffer.alloc(32),
  );
  if (user === undefined || (user.locked_until !== null && user.locked_until > now)) throw unauthenticated();
  await context.store.withOrg(context.orgId, (tx) =>
    tx.query(
      fits
        ? 'UPDATE users SET failures = 0, locked_until = NULL WHERE user_id = $1 AND $2::timestamptz IS NOT NULL AND $3 > 0'
        : `UPDATE users SET failures = CASE WHEN failures + 1 >= $3 THEN 0 ELSE failures + 1 END,
             locked_until = CASE WHEN failures + 1 >= $3 THEN $2::timestamptz ELSE locked_until END WHERE user_id = $1`,
      [user.user_id, new Date(now.getTime() + LOCK_MS), MAX_FAILURES],
    ),
  );
  if (!fits) throw unauthenticated();
  return user.user_id;
}

async function signInByCode(context: ServerContext, code: string, now: Date): Promise<string> {
  const credential = await findCredential(context.store, code, 'login-code', now);
  if (credential === undefined || credential.orgId !== context.orgId) throw unauthenticated();
  const first = await context.store.withOrg(context.orgId, (tx) => useCredential(tx, credential.digest, now));
  if (!first) throw unauthenticated();
  return credential.subject;
}

/** A code for one sign-in within ten minutes, for the link that the command line prints. */
export async function createLoginCode(context: ServerContext, subject: string): Promise<string> {
  const now = nowOf(context);
  const code = newSecret();
  const expiresAt = new Date(now.getTime() + LOGIN_CODE_MS);
  await context.store.withOrg(context.orgId, (tx) =>
    storeCredential(tx, { orgId: context.orgId, text: code, kind: 'login-code', subject, now, expiresAt }),
  );
  return code;
}

function setCookie(context: ServerContext, reply: FastifyReply, value: string): void {
  const secure = context.secureCookies ? '; Secure' : '';
  const age = value === '' ? '; Max-Age=0' : '';
  reply.header('set-cookie', `${SESSION_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict${secure}${age}`);
}

async function describe(context: ServerContext, operator: Operator): Promise<z.infer<typeof SessionSchema>> {
  const [user] = await context.store.withOrg(operator.orgId, (tx) =>
    tx.query<{ name: string }>('SELECT name FROM users WHERE user_id = $1', [operator.subject]),
  );
  return {
    orgId: operator.orgId,
    orgName: context.orgName,
    user: user?.name ?? operator.subject,
    csrfToken: operator.session?.csrfToken ?? '',
    expiresAt: (operator.session?.expiresAt ?? new Date(context.clock.wallMs() + IDLE_MS)).toISOString(),
  };
}

export function addSignInRoute(router: Router<null>, context: ServerContext): void {
  router.add({
    method: 'POST',
    path: '/session',
    summary: 'Sign in with a password or a one-time login code',
    body: LoginRequestSchema,
    response: SessionSchema,
    handle: async ({ body, request, reply }) => {
      const now = nowOf(context);
      context.failedLogins.check(request.ip);
      let subject: string;
      try {
        subject =
          'code' in body
            ? await signInByCode(context, body.code, now)
            : await signInByPassword(context, body.user, body.password, now);
      } catch (error) {
        context.failedLogins.hit(request.ip);
        throw error;
      }
      const session = { text: newSecret(), csrfToken: newSecret(), expiresAt: new Date(now.getTime() + IDLE_MS) };
      const { text, csrfToken, expiresAt } = session;
      await context.store.withOrg(context.orgId, (tx) =>
        storeCredential(tx, {
          orgId: context.orgId,
          text,
          kind: 'session',
          subject,
          detail: { csrfToken },
          now,
          expiresAt,
        }),
      );
      setCookie(context, reply, text);
      return describe(context, { orgId: context.orgId, subject, session });
    },
  });
}

export function addSessionRoutes(router: Router<Operator>, context: ServerContext): void {
  router
    .add({
      method: 'GET',
      path: '/session',
      summary: 'Who is signed in',
      response: SessionSchema,
      handle: ({ principal }) => describe(context, principal),
    })
    .add({
      method: 'DELETE',
      path: '/session',
      summary: 'Sign out',
      handle: async ({ principal, reply }) => {
        const { session } = principal;
        if (session !== undefined)
          await context.store.withOrg(principal.orgId, (tx) =>
            tx.query('DELETE FROM credentials WHERE digest = $1', [sha256Hex(session.text)]),
          );
        setCookie(context, reply, '');
      },
    });
}
