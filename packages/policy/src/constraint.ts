/** Parameter constraints of rules, compiled once (G-09). */
import type { Json } from '@holdfast/core';
import type { Constraint } from './policy-schema.ts';

/** Longest value a pattern is tried on: bounds the time of a bad pattern on a hostile value. */
export const MAX_MATCHED_CHARS = 4_096;

type Test = (value: Json) => boolean;

/** Whether a path is absolute, has one spelling, and lies under `prefix`, by text alone. */
export function isPathUnder(path: string, prefix: string): boolean {
  if (!path.startsWith('/') || path.includes('\0') || path.length > MAX_MATCHED_CHARS) return false;
  const parts = path.split('/').slice(1);
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return false;
  const root = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  return path === root || path.startsWith(`${root}/`);
}

/** @throws `SyntaxError` when a pattern does not compile: lint reports it */
export function compilePattern(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'u');
}

function compileScalar(constraint: Constraint): Test {
  if ('enum' in constraint) {
    const allowed = new Set<Json>(constraint.enum);
    return (value) => allowed.has(value);
  }
  if ('pattern' in constraint) {
    const pattern = compilePattern(constraint.pattern);
    return (value) => typeof value === 'string' && value.length <= MAX_MATCHED_CHARS && pattern.test(value);
  }
  if ('pathPrefix' in constraint) {
    return (value) => typeof value === 'string' && isPathUnder(value, constraint.pathPrefix);
  }
  return (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= constraint.min && value <= constraint.max;
}

/**
 * Compiles one constraint of a rule that gives. Of an array, every element has to meet it, and an empty array meets
 * none: what it would stand for is the operation's business and not granted by saying nothing.
 */
export function compileGrant(constraint: Constraint): (value: Json | undefined) => boolean {
  const scalar = compileScalar(constraint);
  return (value) => {
    if (value === undefined) return false;
    if (Array.isArray(value)) return value.length > 0 && value.every((item: Json) => scalar(item));
    return scalar(value);
  };
}

/**
 * Compiles one constraint of a rule that refuses: it holds unless the value is there and plainly outside. One element
 * of an array is enough, and a parameter left out may still become anything.
 */
export function compileRefusal(constraint: Constraint): (value: Json | undefined) => boolean {
  const scalar = compileScalar(constraint);
  return (value) => {
    if (value === undefined) return true;
    if (Array.isArray(value)) return value.length === 0 || value.some((item: Json) => scalar(item));
    return scalar(value);
  };
}
