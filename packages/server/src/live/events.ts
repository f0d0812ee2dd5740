/**
 * What the console is told live (T-17): rows with a sequence without gaps per org, written in the
 * transaction that made them true, announced by NOTIFY so that every server node hears of them.
 */
import type { LiveEvent } from '@holdfast/api';
import type { Transaction } from '@holdfast/store';

export const EVENT_CHANNEL = 'holdfast_events';
/** A reader that is further behind is told to read everything again. */
export const MAX_KEPT_EVENTS = 5_000;

export interface NewEvent {
  readonly kind: 'host' | 'evidence' | 'remediation' | 'checkpoint' | 'order' | 'gate';
  readonly hostId: string | null;
  readonly id: string | null;
}

/** Call it last in a transaction: it holds the org's sequence until the commit. */
export async function appendEvents(
  tx: Transaction,
  orgId: string,
  events: readonly NewEvent[],
  now: Date,
): Promise<void> {
  if (events.length === 0) return;
  await tx.query(
    `WITH next AS (UPDATE event_state SET seq = seq + $2::int WHERE org_id = $1 RETURNING seq - $2::int AS base)
     INSERT INTO events (org_id, seq, at, kind, host_id, id)
     SELECT $1, base + n, $3, k, h, i FROM next, unnest($4::text[], $5::text[], $6::text[]) WITH ORDINALITY AS u(k, h, i, n)`,
    [
      orgId,
      events.length,
      now,
      events.map(({ kind }) => kind),
      events.map(({ hostId }) => hostId),
      events.map(({ id }) => id),
    ],
  );
  await tx.query('SELECT pg_notify($1, $2)', [EVENT_CHANNEL, orgId]);
}

interface EventRow {
  readonly seq: number;
  readonly at: Date;
  readonly kind: LiveEvent['kind'];
  readonly hostId: string | null;
  readonly id: string | null;
}

const toEvent = (row: EventRow): LiveEvent => ({ ...row, at: row.at.toISOString() });

export async function readEvents(tx: Transaction, after: number, limit: number): Promise<LiveEvent[]> {
  const rows = await tx.query<EventRow>(
    'SELECT seq, at, kind, host_id AS "hostId", id FROM events WHERE seq > $1 ORDER BY seq LIMIT $2',
    [after, limit],
  );
  return rows.map(toEvent);
}

export async function readEventSequence(tx: Transaction): Promise<number> {
  const [row] = await tx.query<{ seq: number }>('SELECT seq FROM event_state');
  return row?.seq ?? 0;
}

/** Forgets what no reader may resume from any more. */
export async function pruneEvents(tx: Transaction): Promise<void> {
  await tx.query('DELETE FROM events WHERE seq <= (SELECT seq FROM event_state) - $1', [MAX_KEPT_EVENTS]);
}
