/** How a verdict tells a shell what it is. 64 and 70 belong to the CLI. */
import type { Assessment } from './assessment.ts';

const EXIT_CODES: Readonly<Record<Assessment['standing'], number>> = {
  GO: 0,
  GO_WITH_CONDITIONS: 10,
  NO_GO: 20,
  STALE: 20,
  // Asked for the last verdict before there is one: nothing says that it may go.
  NONE: 20,
  INCONCLUSIVE: 30,
};

export const exitCodeOf = (result: Assessment['standing']): number => EXIT_CODES[result];
