export { hasToken, parseHostPath, parseLogLine, parseLogToken, parseMode, parseUnitName } from './input.ts';
export type * from './ports.ts';
export { MAX_RULESET_BYTES, normalizeRuleset } from './ruleset.ts';
