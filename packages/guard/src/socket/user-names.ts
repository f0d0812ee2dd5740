/** Names of local users, from passwd(5), for policies that name users. Unreadable means nobody has a name. */
import { readFileSync, statSync } from 'node:fs';

/** Of several lines with one uid the first counts, as for getpwuid(3). */
export function parsePasswd(text: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uidText] = line.split(':');
    if (name === undefined || uidText === undefined || !/^\d{1,10}$/.test(uidText)) continue;
    if (!/^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/.test(name)) continue;
    const uid = Number(uidText);
    if (!names.has(uid)) names.set(uid, name);
  }
  return names;
}

/** Looks users up, reading the file again when it changed. */
export class UserNames {
  readonly #path: string;
  #stamp = '';
  #names: ReadonlyMap<number, string> = new Map();

  constructor(path = '/etc/passwd') {
    this.#path = path;
  }

  nameOf(uid: number): string | null {
    try {
      const stat = statSync(this.#path, { bigint: true });
      const stamp = `${stat.dev}:${stat.ino}:${stat.mtimeNs}:${stat.size}`;
      if (stamp !== this.#stamp) {
        this.#names = parsePasswd(readFileSync(this.#path, 'utf8'));
        this.#stamp = stamp;
      }
    } catch {
      this.#names = new Map(); // no names: rules by user stop matching, rules by uid go on
      this.#stamp = '';
    }
    return this.#names.get(uid) ?? null;
  }
}
