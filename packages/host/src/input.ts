/** What a port takes for a path, a mode, a unit, a log line: one answer for all adapters. */
import { HoldfastError } from '@holdfast/core';

function invalid(what: string): never {
  throw new HoldfastError(`not a valid ${what}`, { code: 'ERR_INPUT_INVALID', fields: { what } });
}

/** Linux PATH_MAX without its NUL. */
const MAX_PATH_CHARS = 4_095;

/**
 * An absolute path in its one spelling: no `.`, `..`, empty component or trailing slash.
 *
 * @throws `ERR_INPUT_INVALID`
 */
export function parseHostPath(path: string): string {
  const components = path.split('/').slice(1);
  const plain = components.every((name) => name !== '' && name !== '.' && name !== '..');
  if (!path.startsWith('/') || path.length > MAX_PATH_CHARS || path.includes('\0')) return invalid('path');
  return plain || path === '/' ? path : invalid('path');
}

/**
 * Four octal digits, as the number.
 *
 * @throws `ERR_INPUT_INVALID`
 */
export function parseMode(mode: string): number {
  return /^[0-7]{4}$/.test(mode) ? Number.parseInt(mode, 8) : invalid('mode');
}

/** systemd.unit(5): 255 characters, and a type that we know. Globs and options are no unit names. */
const UNIT =
  /^[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*\.(?:service|socket|timer|target|mount|path|swap|slice|scope|automount)$/;
const MAX_UNIT_CHARS = 255;

/** @throws `ERR_INPUT_INVALID` */
export function parseUnitName(unit: string): string {
  return unit.length <= MAX_UNIT_CHARS && UNIT.test(unit) && !unit.includes('..') ? unit : invalid('unit name');
}

/** RFC 5424 §6.1: every receiver takes 480 octets and should take 2,048; half of it leaves room for the header. */
const LOG_LINE = /^[\x20-\x7e]{1,1024}$/;
const LOG_TOKEN = /^[\x21-\x7e]{1,128}$/;

/** @throws `ERR_INPUT_INVALID` */
export const parseLogLine = (line: string): string => (LOG_LINE.test(line) ? line : invalid('log line'));
/** @throws `ERR_INPUT_INVALID` */
export const parseLogToken = (token: string): string => (LOG_TOKEN.test(token) ? token : invalid('log token'));

/** Whether `line` holds `token` as a word of its own. */
export const hasToken = (line: string, token: string): boolean => line.split(' ').includes(token);
