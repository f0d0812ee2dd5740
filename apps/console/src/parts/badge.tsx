import type { ReactNode } from 'react';
import { MARKS, toneOf } from '../format.ts';

/** A state as a word, a mark and a colour, in that order of importance. */
export function Badge({ state, children }: { state: string; children?: ReactNode }) {
  const tone = toneOf(state);
  return (
    <span className={`badge badge-${tone}`}>
      <span aria-hidden="true">{MARKS[tone]}</span> {children ?? state.replaceAll('_', ' ')}
    </span>
  );
}
