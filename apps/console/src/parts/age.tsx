import { createContext, useContext, useEffect, useState, type ReactNode } from 'react';
import { formatAge, formatClock, formatInstant } from '../format.ts';

const Now = createContext(Date.now());

/** One clock for the page: every age moves together, once a second. */
export function NowProvider({ children }: { children: ReactNode }) {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return <Now value={nowMs}>{children}</Now>;
}

/** `3 minutes ago`, with the exact time on hover; `never` when there is none. */
export function Age({ of }: { of: string | null }) {
  const nowMs = useContext(Now);
  if (of === null) return <span>never</span>;
  return (
    <time dateTime={of} title={formatInstant(of)}>
      {formatAge(of, nowMs)}
    </time>
  );
}

/** The time of today, or the day and the time. */
export function Clock({ of }: { of: string }) {
  const nowMs = useContext(Now);
  return (
    <time dateTime={of} title={formatInstant(of)}>
      {formatClock(of, nowMs)}
    </time>
  );
}
