/** passwd(5) and shadow(5) as values, and the one change we make to a shadow line. Pure. */
import type { PasswordState } from '@holdfast/host';

export interface PasswdEntry {
  readonly name: string;
  readonly password: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

const DAY_MS = 86_400_000;
/** 2^32 - 1 means "no change" to the kernel: nobody has it. */
const MAX_ID = 4_294_967_294;

function parseId(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}

/**
 * Every line of passwd(5), also those with the same name or uid: an attacker's second root counts.
 *
 * @returns `undefined` when a line has no such form: what is not understood must not be passed over
 */
export function parsePasswd(text: string): PasswdEntry[] | undefined {
  const entries: PasswdEntry[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || /^[+-]/.test(line)) continue; // `+`, `-`: NIS compatibility, nsswitch.conf(5)
    const [name, password, uidText, gidText, , home, shell, ...rest] = line.split(':');
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    if (!name || password === undefined || uid === undefined || gid === undefined) return undefined;
    if (home === undefined || shell === undefined || rest.length > 0) return undefined;
    // passwd(5): an empty shell means /bin/sh.
    entries.push({ name, password, uid, gid, home, shell: shell === '' ? '/bin/sh' : shell });
  }
  return entries;
}

/** shadow(5) has nine fields; older files may end early. */
const SHADOW_FIELDS = 9;

/** The first shadow line of each name, whole: the one that counts. */
export function parseShadow(text: string): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  for (const line of text.split('\n')) {
    const name = line.slice(0, Math.max(0, line.indexOf(':')));
    if (name !== '' && !lines.has(name)) lines.set(name, line);
  }
  return lines;
}

/** How a password field stands: crypt(5) tells what a hash looks like. */
export function passwordState(field: string | undefined): PasswordState {
  if (field === undefined) return 'unknown';
  if (field === '') return 'empty';
  // `!` locks what follows; `*` is no hash of anything. Both let nobody in by password.
  if (field.startsWith('!') || field.startsWith('*')) return 'locked';
  if (/^\$[^$]+\$.+/.test(field) || /^_[./0-9A-Za-z]{19}$/.test(field) || /^[./0-9A-Za-z]{13}$/.test(field))
    return 'set';
  return 'unknown';
}

export const passwordField = (shadowLine: string): string | undefined => shadowLine.split(':')[1];

/** shadow(5) field 8: days since the epoch; the account is expired from that day on. 0 is not used. */
export function isExpired(shadowLine: string, nowMs: number): boolean {
  const field = shadowLine.split(':')[7] ?? '';
  const days = /^\d{1,9}$/.test(field) ? Number(field) : 0;
  return days > 0 && nowMs >= days * DAY_MS;
}

/** What `usermod -L -e 1` makes of a shadow line; a locked line stays as it is. */
export function lockedLine(shadowLine: string): string {
  const fields = shadowLine.split(':');
  while (fields.length < SHADOW_FIELDS) fields.push('');
  const password = fields[1] ?? '';
  fields[1] = password.startsWith('!') ? password : `!${password}`;
  fields[7] = '1';
  return fields.join(':');
}

/** Whether `line` can stand as the shadow line of `name`. */
export function isShadowLine(line: string, name: string): boolean {
  return line.startsWith(`${name}:`) && !/[\n\0\r]/.test(line) && line.split(':').length === SHADOW_FIELDS;
}

/** Replaces the first line of `name`, and no other byte. */
export function replaceShadowLine(text: string, name: string, line: string): string {
  const lines = text.split('\n');
  const at = lines.findIndex((candidate) => candidate.startsWith(`${name}:`));
  if (at >= 0) lines[at] = line;
  return lines.join('\n');
}
