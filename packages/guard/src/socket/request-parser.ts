/**
 * From one line to one request of the protocol, or to the code that refuses it. Nothing of a refused
 * line is repeated to anyone.
 */
import { type GuardRequest, GuardRequestSchema } from '@holdfast/api';
import type { ErrorCode } from '@holdfast/core';

/** Deeper than any request of ours by far; shallow enough for every recursive reader behind us. */
export const MAX_DEPTH = 32;

/** `isFramed: false`: what follows on the connection cannot be trusted to start at a request. */
export type ParsedLine =
  | { readonly request: GuardRequest }
  | { readonly code: ErrorCode; readonly id: string; readonly isFramed: boolean };

function malformed(id: string, isFramed: boolean): ParsedLine {
  return { code: 'ERR_GUARD_MALFORMED', id, isFramed };
}

/** Nesting outside of strings, by bytes: asked before anything recursive sees the text. */
function isTooDeep(line: Uint8Array): boolean {
  let depth = 0;
  let isString = false;
  for (let index = 0; index < line.length; index += 1) {
    const byte = line[index];
    if (isString) {
      if (byte === 0x5c) index += 1;
      else if (byte === 0x22) isString = false;
    } else if (byte === 0x22) isString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return false;
}

/** A key no parameter of ours has, and some readers treat as more than a key. */
function hasPrototypeKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (!Array.isArray(value) && Object.hasOwn(value, '__proto__')) return true;
  return Object.values(value).some(hasPrototypeKey);
}

function idOf(value: unknown): string {
  const id: unknown =
    typeof value === 'object' && value !== null && Object.hasOwn(value, 'id') ? Reflect.get(value, 'id') : '';
  return typeof id === 'string' && id.length <= 64 ? id : '';
}

/** Never throws. */
export function parseRequestLine(line: Uint8Array): ParsedLine {
  if (isTooDeep(line)) return malformed('', false);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line));
  } catch {
    return malformed('', false); // neither error may leave: both quote the line
  }
  const id = idOf(value);
  if (hasPrototypeKey(value)) return malformed(id, true);
  const parsed = GuardRequestSchema.safeParse(value);
  return parsed.success ? { request: parsed.data } : malformed(id, true);
}
