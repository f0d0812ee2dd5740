import { formatDays } from '../format.ts';

/** A calendar day with how far it is from `asOf`, told apart when it is over. The whole day belongs to it, in UTC. */
export function DueDate({ date, asOf }: { date: string; asOf: string }) {
  const days = daysUntil(date, asOf);
  const tone = days < 0 ? 'due-over' : days <= SOON_DAYS ? 'due-soon' : 'due';
  return (
    <span className={tone}>
      <time dateTime={date}>{date}</time> <span className="due-days">{formatDays(days)}</span>
    </span>
  );
}

/** Within a working week somebody has to begin. */
const SOON_DAYS = 7;
const DAY_MS = 86_400_000;

export const daysUntil = (date: string, asOf: string): number =>
  Math.round((Date.parse(date) - Date.parse(asOf.slice(0, 10))) / DAY_MS);
