/** How many connections there may be, in all and from one user (G-01). */
export class ConnectionCounter {
  readonly #max: number;
  readonly #maxPerUid: number;
  readonly #perUid = new Map<number, number>();
  #all = 0;

  constructor(limits: { readonly maxConnections: number; readonly maxConnectionsPerUid: number }) {
    this.#max = limits.maxConnections;
    this.#maxPerUid = limits.maxConnectionsPerUid;
  }

  /** Counts one in, unless that would be too many. Root's own share is never taken by others. */
  enter(uid: number): boolean {
    const own = this.#perUid.get(uid) ?? 0;
    if (own >= this.#maxPerUid) return false;
    const others = this.#all - (this.#perUid.get(0) ?? 0);
    if (uid !== 0 && others >= this.#max - this.#maxPerUid) return false;
    this.#perUid.set(uid, own + 1);
    this.#all += 1;
    return true;
  }

  leave(uid: number): void {
    const own = (this.#perUid.get(uid) ?? 0) - 1;
    if (own > 0) this.#perUid.set(uid, own);
    else this.#perUid.delete(uid);
    this.#all -= 1;
  }
}
