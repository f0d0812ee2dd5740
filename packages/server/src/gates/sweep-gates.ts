/**
 * Notices that a gate is worth something else than at the last look, also when nobody looks: dates
 * pass by themselves. Each change is told once, as a live event and in the server's log.
 */
import type { Assessment } from '@holdfast/gate';
import type { Logger } from 'pino';
import { nowOf, type ServerContext } from '../context.ts';
import { appendEvents } from '../live/events.ts';
import { assessGate, listGates, type OpenedBundles } from './published-gates.ts';

/** Whether somebody should be told in a voice of its own. */
const IS_ALARMING: Readonly<Record<Assessment['standing'], boolean>> = {
  GO: false,
  GO_WITH_CONDITIONS: false,
  NONE: false,
  INCONCLUSIVE: true,
  NO_GO: true,
  STALE: true,
};

/** Idempotent, and safe when several servers do it at once: one of them sees the change. */
export async function sweepGates(
  context: Pick<ServerContext, 'store' | 'clock'>,
  opened: OpenedBundles,
  orgId: string,
  logger: Logger,
): Promise<void> {
  const now = nowOf(context);
  const told = await context.store.withOrg(orgId, async (tx) => {
    const changes: { gate: string; from: string | null; to: Assessment['standing']; reason: string | null }[] = [];
    for (const published of await listGates(tx, opened)) {
      const { gate, swept } = published;
      const { standing, standingReasons } = assessGate(published, now.getTime());
      const changed = await tx.query(
        `UPDATE gates SET standing = $2, standing_since = $3
         WHERE gate_id = $1 AND standing IS DISTINCT FROM $2 RETURNING gate_id`,
        [gate, standing, now],
      );
      if (changed.length > 0)
        changes.push({ gate, from: swept?.standing ?? null, to: standing, reason: standingReasons[0]?.rule ?? null });
    }
    await appendEvents(
      tx,
      orgId,
      changes.map(({ gate }) => ({ kind: 'gate', hostId: null, id: gate })),
      now,
    );
    return changes;
  });
  for (const change of told)
    logger[IS_ALARMING[change.to] ? 'warn' : 'info']({ orgId, ...change }, 'the standing of a release gate changed');
}
