/**
 * WebSocket `/api/v1/events?after=<seq>` (T-15, T-17): authorised and its Origin checked before the
 * upgrade, resumed without gaps, dropped when it reads too slowly.
 */
import type { LiveEvent } from '@holdfast/api';
import type { Server } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ServerContext } from '../context.ts';
import { readEvents } from './events.ts';
import type { Subscriber } from './event-hub.ts';

/** T-17. */
const MAX_QUEUED_BYTES = 1024 * 1024;
/** Clients have nothing to say. */
const MAX_PAYLOAD_BYTES = 1_024;
const HELLO_EVERY_MS = 15_000;
/** More than this behind is told to read everything again. */
const MAX_RESUME = 2_000;
/** RFC 6455 §7.4.1: 1013 is "try again later". */
const CLOSE_TRY_AGAIN = 1013;

export interface LiveAccess {
  /** @returns the org whose events the bearer may see, `undefined` to refuse */
  authorise(request: IncomingMessage): Promise<{ orgId: string } | undefined>;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** The page's own origin, or none at all (not a browser). */
function isSameOrigin({ headers }: IncomingMessage): boolean {
  if (headers.origin === undefined) return true;
  try {
    return new URL(headers.origin).host === headers.host;
  } catch {
    return false; // `null` and the like
  }
}

async function serve(
  context: ServerContext,
  socket: WebSocket,
  orgId: string,
  after: number | undefined,
): Promise<void> {
  let lastSeq = 0;
  let waiting: LiveEvent[] | undefined = [];
  const write = (event: LiveEvent): void => {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_QUEUED_BYTES) {
      socket.close(CLOSE_TRY_AGAIN, 'resync');
      // A reader that does not read would not read the close either.
      setTimeout(() => socket.terminate(), 1_000).unref();
      return;
    }
    socket.send(JSON.stringify(event));
  };
  const plain = (kind: 'hello' | 'resync', seq: number): LiveEvent => ({
    seq,
    at: new Date(context.clock.wallMs()).toISOString(),
    kind,
    hostId: null,
    id: null,
  });
  const deliver = (event: LiveEvent): void => {
    if (waiting !== undefined) waiting.push(event);
    else if (event.seq > lastSeq) {
      lastSeq = event.seq;
      write(event);
    }
  };
  const subscriber: Subscriber = { deliver };
  const hello = setInterval(() => write(plain('hello', lastSeq)), HELLO_EVERY_MS);
  socket.on('close', () => {
    clearInterval(hello);
    context.hub.unsubscribe(orgId, subscriber);
  });
  socket.on('error', () => socket.terminate());
  const current = await context.hub.subscribe(orgId, subscriber);
  lastSeq = current;
  write(plain('hello', current));
  if (after !== undefined && after !== current) {
    const missed = await context.store.withOrg(orgId, (tx) => readEvents(tx, after, MAX_RESUME + 1));
    // Gone from the table, from another life of the database, or too much to send one by one.
    if (after > current || missed.length > MAX_RESUME || missed[0]?.seq !== after + 1) write(plain('resync', current));
    else for (const event of missed) write(event);
    lastSeq = Math.max(current, missed.at(-1)?.seq ?? 0);
  }
  const queued = waiting;
  waiting = undefined;
  for (const event of queued) deliver(event);
  if (socket.readyState !== socket.OPEN) context.hub.unsubscribe(orgId, subscriber); // closed while we looked
}

/** Serves the socket on `server` until it closes. */
export function attachLiveSocket(server: Server, context: ServerContext, access: LiveAccess): AsyncDisposable {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD_BYTES, perMessageDeflate: false });
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname !== '/api/v1/events') return refuse(socket, '404 Not Found');
    if (!isSameOrigin(request)) return refuse(socket, '403 Forbidden');
    const bearer = await access.authorise(request);
    if (bearer === undefined) return refuse(socket, '401 Unauthorized');
    const text = url.searchParams.get('after');
    if (text !== null && !/^\d{1,15}$/.test(text)) return refuse(socket, '400 Bad Request');
    sockets.handleUpgrade(request, socket, head, (client) => {
      serve(context, client, bearer.orgId, text === null ? undefined : Number(text)).catch(() => client.terminate());
    });
  };
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    upgrade(request, socket, head).catch(() => refuse(socket, '503 Service Unavailable'));
  });
  return {
    [Symbol.asyncDispose]: async () => {
      for (const client of sockets.clients) client.terminate();
      await new Promise((resolve) => sockets.close(resolve));
    },
  };
}
