/** Long lists, a screenful at a time; on paper whole, since nobody can press a button there. */
import { useState, useSyncExternalStore } from 'react';
import { formatCount } from '../format.ts';

const PRINT = matchMedia('print');
const onPrint = (tell: () => void): (() => void) => {
  PRINT.addEventListener('change', tell);
  return () => PRINT.removeEventListener('change', tell);
};
const isPrinting = (): boolean => PRINT.matches;

export interface Bounded<T> {
  readonly shown: readonly T[];
  /** How many are not shown. */
  readonly rest: number;
  readonly showAll: () => void;
}

/** The first `max` of `items`, and all of them once somebody asked or the page is printed. */
export function useBounded<T>(items: readonly T[], max: number): Bounded<T> {
  const [isAll, setIsAll] = useState(false);
  const isPaper = useSyncExternalStore(onPrint, isPrinting);
  const shown = isAll || isPaper ? items : items.slice(0, max);
  return { shown, rest: items.length - shown.length, showAll: () => setIsAll(true) };
}

/** Says how many there are beyond those shown, and shows them. Nothing when there are none. */
export function ShowAll({ bounded: { shown, rest, showAll }, what }: { bounded: Bounded<unknown>; what: string }) {
  if (rest === 0) return null;
  const total = shown.length + rest;
  return (
    <p className="show-all">
      <span className="quiet">
        {shown.length} of {formatCount(total, what)} shown.
      </span>{' '}
      <button type="button" onClick={showAll}>
        Show all {total.toLocaleString('en')}
      </button>
    </p>
  );
}
