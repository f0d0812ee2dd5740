/** Error codes of the guard. */
import type { ErrorTable } from './table.ts';

export const GUARD_ERRORS = {
  ERR_GUARD_DENIED: {
    remedy: 'give-up',
    title: 'The guard denied the request',
    text: 'No rule of the policy allows this operation or read for this caller. The caller learns a correlation id and nothing else; the reasons stand in the audit log under that id (`holdfast audit tail`).',
  },
  ERR_GUARD_APPROVAL_REQUIRED: {
    remedy: 'give-up',
    title: 'The request needs approval',
    text: 'A rule says `needs-approval` and no valid approval came with the request. Nothing was run.',
  },
  ERR_GUARD_REPLAYED: {
    remedy: 'give-up',
    title: 'The request was seen before or is outside the time window',
    text: 'The nonce was used within the window, the issue time is too old or ahead of the clock, or the memory of nonces is full or unavailable. Make a new request with a fresh nonce.',
  },
  ERR_GUARD_RATE_LIMITED: {
    remedy: 'retry',
    title: 'Too many requests',
    text: 'The caller used up its token bucket. Wait and ask again; the limits are in the policy.',
  },
  ERR_GUARD_DEFERRED: {
    remedy: 'retry',
    title: 'Outside of every maintenance window',
    text: 'The operation disrupts what runs on the host, and no maintenance window of the policy is open for it. Nothing was run. Ask again inside a window.',
  },
  ERR_GUARD_FROZEN: {
    remedy: 'give-up',
    title: 'The host is frozen',
    text: 'A change could not be reverted, or the host was frozen by hand. Only `status` and reads of the audit log work until a person has looked and unfrozen it.',
  },
  ERR_GUARD_NOT_FROZEN: {
    remedy: 'give-up',
    title: 'The host is not frozen',
    text: 'There is nothing to unfreeze: `holdfast status --host` shows whether a host is frozen.',
  },
  ERR_GUARD_AUDIT_UNWRITABLE: {
    remedy: 'retry',
    title: 'The audit log cannot be written',
    text: 'What cannot be recorded is not done: mutations are denied while the disk of the audit log is full or failing. Reads still work. Free space or mend the disk; nothing has to be restarted.',
  },
  ERR_GUARD_MALFORMED: {
    remedy: 'fix-input',
    title: 'The request is malformed',
    text: 'The line is not UTF-8, not one JSON object, nested too deeply, has keys the protocol does not know, or misses some. The guard repeats nothing of it.',
  },
  ERR_GUARD_REQUEST_TOO_LARGE: {
    remedy: 'fix-input',
    title: 'The request is too large',
    text: 'A request line is longer than 64 KiB. The connection is closed.',
  },
  ERR_GUARD_REQUEST_SLOW: {
    remedy: 'retry',
    title: 'The request did not arrive in time',
    text: 'A request line was begun and not ended within the read timeout. The connection is closed.',
  },
  ERR_GUARD_BUSY: {
    remedy: 'retry',
    title: 'Too many connections',
    text: 'The guard has as many connections as it takes, in all or from this user. Close some and connect again.',
  },
  ERR_GUARD_INTERNAL: {
    remedy: 'give-up',
    title: 'The guard failed',
    text: 'An error inside the guard. The audit log has a record under the correlation id; please report it.',
  },
  ERR_GUARD_UNREACHABLE: {
    remedy: 'retry',
    title: 'The guard does not answer',
    text: 'Nothing listens on the socket, the connection was lost before the answer came, or the answer took too long. A mutation may or may not have run: ask for the list of changes before asking again.',
  },
  ERR_GUARD_PROTOCOL: {
    remedy: 'give-up',
    title: 'The answer is not one of a guard',
    text: 'What answered on the socket does not speak the protocol of this version. Check that both ends are of the same release.',
  },
  ERR_GUARD_SOCKET: {
    remedy: 'fix-input',
    title: 'The socket cannot be opened',
    text: 'The directory of the socket is missing, a symlink, owned by somebody else or writable by others; or another guard already answers there.',
  },
  ERR_GUARD_ALREADY_RUNNING: {
    remedy: 'give-up',
    title: 'Another guard holds this state directory',
    text: 'Two guards on one state directory would each keep half of the truth. Stop the other one first.',
  },
  ERR_GUARD_PEER_CREDENTIALS: {
    remedy: 'give-up',
    title: 'Peer credentials are not available',
    text: 'The guard tells callers apart by SO_PEERCRED alone and does not serve where it cannot be read: it needs Linux and the Node.js this release pins, with node:ffi.',
  },
  ERR_GUARD_BASELINE_MISSING: {
    remedy: 'fix-input',
    title: 'No valid baseline is pinned',
    text: 'What may be observed with the rights of root follows from the pinned baseline. Without a valid one nothing may.',
  },
  ERR_GUARD_STATE: {
    remedy: 'fix-input',
    title: 'The guard’s state directory cannot be used',
    text: 'The directory or a file in it is missing, owned by somebody else, readable by others, damaged or on a full disk. The guard does not start, or denies mutations, rather than forget what it has seen.',
  },
  ERR_BUNDLE_CONFLICT: {
    remedy: 'give-up',
    title: 'The bundle id was used for something else',
    text: 'Evidence under this id was sealed before, for another report. Ids are never reused: make a new one.',
  },
  ERR_ORDER_FIELDS: {
    remedy: 'give-up',
    title: 'The order has unknown or missing fields',
    text: 'The envelope or the order inside is not of the documented shape. It was refused and evidence of that was made.',
  },
  ERR_ORDER_SIGNATURE: {
    remedy: 'give-up',
    title: 'The order is not signed by a pinned key',
    text: 'No signature verifies under a key that is pinned for orders and valid now. Enrol the host again if the server’s keys were replaced without an overlap.',
  },
  ERR_ORDER_EXPIRED: {
    remedy: 'retry',
    title: 'The order came too late',
    text: 'Its time to live has passed, by this host’s wall clock. Issue it again; if it was sent just now, compare the clocks.',
  },
  ERR_ORDER_NOT_YET: {
    remedy: 'retry',
    title: 'The order is from the future',
    text: 'It was issued after this host’s wall clock says it is now. Compare the clocks of host and server.',
  },
  ERR_ORDER_REPLAYED: {
    remedy: 'give-up',
    title: 'The order’s nonce was seen before',
    text: 'Another order carried the same nonce, the same order id came with other content, or the memory of nonces is not available.',
  },
  ERR_ORDER_WRONG_HOST: {
    remedy: 'give-up',
    title: 'The order is for another host',
    text: 'Org, site or host of the order are not this host’s. The server or somebody between delivered it to the wrong place.',
  },
  ERR_ORDER_NOT_ALLOWED: {
    remedy: 'give-up',
    title: 'The order’s operation is not allowed here',
    text: 'The host’s own policy does not let the control plane order this operation with these parameters, or the operation does not exist on this host.',
  },
  ERR_ORDER_PARAMS: {
    remedy: 'fix-input',
    title: 'The order’s parameters are not valid',
    text: 'The parameters do not have the shape the operation asks for.',
  },
  ERR_ORDER_INTERRUPTED: {
    remedy: 'retry',
    title: 'The order was interrupted before it began',
    text: 'The guard stopped after it had accepted the order and before the change began. Nothing was changed. Issue a new order.',
  },
} as const satisfies ErrorTable;
