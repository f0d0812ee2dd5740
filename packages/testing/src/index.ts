export { type Cost, costOf, median, milliseconds, percentile, perSecond } from './figures.ts';
export { type Need, needs } from './needs.ts';
export { temporaryDirectory } from './temporary-directory.ts';
