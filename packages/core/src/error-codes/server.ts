/** Error codes of the control plane. */
import type { ErrorTable } from './table.ts';

export const SERVER_ERRORS = {
  ERR_SERVER_UNAUTHENTICATED: {
    remedy: 'reauthenticate',
    title: 'Sign in first',
    text: 'The request carries no credential, or one that is unknown, used up or expired. Sign in again, or use another token. Hosts renew their certificate or enrol again.',
  },
  ERR_SERVER_FORBIDDEN: {
    remedy: 'give-up',
    title: 'Not allowed',
    text: 'The credential is valid but not for this, or the request came from another origin or without the session’s CSRF token.',
  },
  ERR_SERVER_NOT_FOUND: {
    remedy: 'fix-input',
    title: 'There is no such thing',
    text: 'The address names nothing in this org. What belongs to another org does not exist for this one.',
  },
  ERR_SERVER_TOO_LARGE: {
    remedy: 'fix-input',
    title: 'The request is too large',
    text: 'The body is larger than this route accepts. Send less at a time.',
  },
  ERR_SERVER_RATE_LIMITED: {
    remedy: 'retry',
    title: 'Too many requests',
    text: 'This address has made more requests, or more failed attempts to sign in, than are allowed in a minute. Wait as long as Retry-After says.',
  },
  ERR_SERVER_ENROLLMENT_REFUSED: {
    remedy: 'fix-input',
    title: 'Enrolment was refused',
    text: 'The enrolment token is unknown, expired or already used by another host, or the request does not prove that the host key and the TLS key are held. Make a new token with `holdfast server token` and enrol again.',
  },
  ERR_SERVER_CONFIG: {
    remedy: 'fix-input',
    title: 'The server’s configuration cannot work',
    text: 'The operator listener serves plain HTTP on loopback only; anywhere else it needs a certificate and a key. Or the state directory belongs to another database.',
  },
  ERR_SERVER_LISTEN: {
    remedy: 'fix-input',
    title: 'The server cannot listen on that address',
    text: 'Another program listens on the address and port, the address is not one of this machine, or the port needs more rights. Choose another with `--console-listen` or `--agent-listen`.',
  },
  ERR_SERVER_INTERNAL: {
    remedy: 'retry',
    title: 'Something went wrong here',
    text: 'The server failed in a way that is not the caller’s fault. The request id is in the server’s log beside the reason.',
  },
  ERR_INGEST_FUTURE: {
    remedy: 'retry',
    title: 'The evidence is from the future',
    text: 'The evidence ends more than two minutes after the server’s time. Correct the clock of the host, or of the server.',
  },
  ERR_INGEST_FOREIGN: {
    remedy: 'give-up',
    title: 'The evidence is about somebody else',
    text: 'The evidence names another org, site, host or bundle id than the authenticated host handed in.',
  },
  ERR_INGEST_CONFLICT: {
    remedy: 'give-up',
    title: 'Other evidence has this id already',
    text: 'A bundle with the same id and other bytes was accepted before. The first one stands; an alert was raised, since two different bundles with one id mean a fault or a forgery.',
  },
} as const satisfies ErrorTable;
