export { type Need, needs } from './needs.ts';
export { temporaryDirectory } from './temporary-directory.ts';
