/** Error codes of the agent and its queue. */
import type { ErrorTable } from './table.ts';

export const AGENT_ERRORS = {
  ERR_AGENT_CONNECTION: {
    remedy: 'retry',
    title: 'The server could not be reached',
    text: 'No connection came about, it broke, it took longer than the time-out, or the server said that it is overloaded or failing (429, 5xx) on every try. Nothing is lost: evidence stays queued and healing goes on. Check the network, the server and `serverUrl` in trust.json.',
  },
  ERR_AGENT_AUTHENTICATION: {
    remedy: 'reauthenticate',
    title: 'Agent and server do not trust one another',
    text: 'The server presented a certificate that the pinned CA did not issue, or it refuses the certificate of this host (401, 403, a TLS alert). Compare clocks first; when the certificate has expired or was revoked, enrol the host again.',
  },
  ERR_AGENT_PROTOCOL: {
    remedy: 'give-up',
    title: 'The server answered something else than agreed',
    text: 'The answer has a wrong shape, is too large, or refuses a well-formed request with a 4xx status; or the server offers no TLS 1.3. Repeating the request does not help. Agent and server are likely of different versions.',
  },
  ERR_AGENT_ORDER: {
    remedy: 'give-up',
    title: 'The server refuses the result of an order',
    text: 'The server does not know the order, or holds another final result for it. What the guard did is in the evidence under the id of the order; the result is not sent again.',
  },
  ERR_AGENT_ALREADY_RUNNING: {
    remedy: 'give-up',
    title: 'Another agent uses this state directory',
    text: 'One agent runs per host. The lock is held by a live process and ends with it, so there is no stale lock to remove: stop the other agent first.',
  },
  ERR_AGENT_NOT_ENROLLED: {
    remedy: 'fix-input',
    title: 'The host is not enrolled',
    text: 'trust.json, the TLS key or the TLS certificate of the agent is missing or does not parse. Run `holdfast enroll` with a token from the console.',
  },
  ERR_AGENT_TOKEN_INVALID: {
    remedy: 'fix-input',
    title: 'The enrolment token is not well formed',
    text: 'A token has three parts: `hf1`, a secret, and the fingerprint of the CA. Copy the whole of it from the console; it works once and for a short time.',
  },
  ERR_AGENT_SERVER_UNTRUSTED: {
    remedy: 'give-up',
    title: 'The server is not the one that issued the token',
    text: 'The certificate chain of the server has no CA with the fingerprint in the token. Either the address is wrong or somebody is between this host and the server. The token was not sent.',
  },
  ERR_AGENT_LOG_REWRITTEN: {
    remedy: 'give-up',
    title: 'The transparency log was rewritten',
    text: 'A checkpoint of the server contradicts one it signed before: the log shrank, or has another root for the same entries. Both signed notes are kept in the state of the agent as proof. Treat the server as compromised until this is explained.',
  },
} as const satisfies ErrorTable;
