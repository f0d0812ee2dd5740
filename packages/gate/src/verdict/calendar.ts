/** Calendar dates of acceptances, conditions and risks, UTC. The whole day belongs to a date: what is due on it lapses when it is over. */

export const DAY_MS = 86_400_000;

/** Whether `date` is over at `nowMs`. A date that is none is over. */
export const isOver = (date: string, nowMs: number): boolean => !(nowMs < Date.parse(`${date}T00:00:00.000Z`) + DAY_MS);

/** Calendar days from the day of `instant` to `date`; negative when it lies before. */
export const daysFrom = (instant: string, date: string): number =>
  (Date.parse(`${date}T00:00:00.000Z`) - Date.parse(`${instant.slice(0, 10)}T00:00:00.000Z`)) / DAY_MS;

export const earliest = (...dates: readonly [string, ...string[]]): string => dates.toSorted()[0] ?? dates[0];
