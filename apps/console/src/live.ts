/**
 * Live updates: one WebSocket, resumed from the last sequence number (W-13). A message names what
 * changed; the page asks the API for it, so that there is one way to every datum.
 */
import type { LiveEvent } from '@holdfast/api';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { createRefresher } from './refresher.ts';

/** Without a word from the server for this long the page calls itself stale; the server says hello every 15 s. */
const STALE_AFTER_MS = 40_000;
const RECONNECT_MS = [500, 1_000, 2_000, 5_000, 10_000] as const;
export type LiveState = 'connecting' | 'live' | 'stale';

/** Keeps every query fresh while the component is mounted, and tells whether it does. */
export function useLive(): LiveState {
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>('connecting');

  useEffect(() => {
    let socket: WebSocket | undefined;
    let lastSeq: number | undefined;
    let attempt = 0;
    let closed = false;
    // What can never change is not asked for again.
    const refresher = createRefresher(() =>
      client.invalidateQueries({ predicate: ({ meta }) => meta?.['isFinal'] !== true }),
    );
    let staleTimer: ReturnType<typeof setTimeout> | undefined;
    let reconnectTimer: ReturnType<typeof setTimeout> | undefined;

    const heard = (): void => {
      setState('live');
      clearTimeout(staleTimer);
      staleTimer = setTimeout(() => setState('stale'), STALE_AFTER_MS);
    };
    const connect = (): void => {
      const url = new URL('/api/v1/events', location.href);
      url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
      if (lastSeq !== undefined) url.searchParams.set('after', String(lastSeq));
      socket = new WebSocket(url);
      socket.addEventListener('open', () => {
        attempt = 0;
        heard();
        refresher.want(); // whatever happened while we were away
      });
      socket.addEventListener('message', (message: MessageEvent<string>) => {
        heard();
        const event = JSON.parse(message.data) as LiveEvent;
        if (event.kind === 'hello') {
          lastSeq ??= event.seq;
          return;
        }
        if (event.kind !== 'resync') lastSeq = event.seq;
        refresher.want();
      });
      socket.addEventListener('close', () => {
        if (closed) return;
        setState('stale');
        const delay = RECONNECT_MS[Math.min(attempt, RECONNECT_MS.length - 1)];
        attempt += 1;
        reconnectTimer = setTimeout(connect, delay);
      });
    };
    connect();
    return () => {
      closed = true;
      socket?.close();
      refresher.stop();
      for (const timer of [staleTimer, reconnectTimer]) clearTimeout(timer);
    };
  }, [client]);

  return state;
}
