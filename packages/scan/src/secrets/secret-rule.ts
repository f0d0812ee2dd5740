/** What a rule is: a literal that must be there, and an anchored pattern of bounded length that is tried at it. */

export interface SecretRule {
  readonly id: string;
  /** What was found, for a sentence: `a GitHub personal access token`. */
  readonly title: string;
  readonly severity: 'P0' | 'P1';
  /** Lower case. The rule is tried only where one of them is. */
  readonly literals: readonly string[];
  /**
   * Sticky. Tried at the start of a literal, or up to `back` characters before it. The group `secret`, else
   * group 1, else all of it is the secret. MUST be bounded: every quantifier has an upper end, so a try costs a constant.
   */
  readonly pattern: RegExp;
  readonly back: number;
  /** Refuses what the pattern cannot; lowers the severity by answering one. */
  readonly judge: (secret: string, match: RegExpExecArray) => 'P0' | 'P1' | null;
  /** A person may have chosen the secret: its digest must then be of no use for guessing. */
  readonly chosen: boolean;
  /** Not tried in binary data, nor in text that was put together from literals, where chance is too often right. */
  readonly textOnly: boolean;
  /** Only in files of this name. */
  readonly path: RegExp | null;
}

/** Not in the middle of a longer word; an escaped line end before it is no word (`"…\nAKIA…"`). */
export const START = String.raw`(?:(?<![A-Za-z0-9_])|(?<=\\[nrt]))`;
export const END = String.raw`(?![A-Za-z0-9_])`;
