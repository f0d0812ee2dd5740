/** Renders `docs/errors.md` from the tables, so that the page and the code cannot disagree. */
import { ERROR_CODES, type ErrorEntry } from './error-codes/all.ts';

const REMEDIES: Record<ErrorEntry['remedy'], string> = {
  retry: 'try again later',
  'fix-input': 'correct the input and try again',
  reauthenticate: 'sign in or enrol again',
  'give-up': 'trying again will not help',
};

/** The whole page, Markdown, sorted by code. */
export function renderErrorsDoc(): string {
  const entries: [string, ErrorEntry][] = Object.entries(ERROR_CODES);
  const sections = entries
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { title, text, remedy }]) => `## ${code}\n\n**${title}.** ${text}\n\nRemedy: ${REMEDIES[remedy]}.\n`);
  return [
    '# Error codes\n',
    'Every expected failure has one of these codes: on the command line, in the API and in evidence.',
    'This page is generated from `packages/core/src/error-codes`; do not edit it by hand.\n',
    ...sections,
  ].join('\n');
}
