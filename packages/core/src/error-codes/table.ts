/** The shape of one error code's entry; `docs/errors.md` is generated from these. */

/** What the one who sees the error should do next. */
export type Remedy = 'retry' | 'fix-input' | 'reauthenticate' | 'give-up';

export interface ErrorEntry {
  readonly remedy: Remedy;
  /** One short sentence without the particulars. Stands in problem+json as `title`. */
  readonly title: string;
  /** One paragraph: when it happens and what to do about it. */
  readonly text: string;
}

export type ErrorTable = Readonly<Record<`ERR_${string}`, ErrorEntry>>;
