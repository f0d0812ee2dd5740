/**
 * Versions of Python packages, compared as PEP 440 says (packaging.python.org, "Version specifiers").
 * A version is parsed to a list of numbers and words that compares part by part.
 */

/** PEP 440, Appendix B, without the surrounding white space that is taken off first. */
const PATTERN =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/;
/** No release has so long a version; the expression above stays linear anyway. */
const MAX_CHARS = 200;

const PRE_RANK: Readonly<Record<string, number>> = { a: 0, alpha: 0, b: 1, beta: 1, c: 2, rc: 2, pre: 2, preview: 2 };
/** A development release of the final one is before its pre-releases, a version without any is after. */
const BEFORE_PRE = -1;
const AFTER_PRE = 3;

interface Pep440Version {
  readonly epoch: bigint;
  readonly release: readonly bigint[];
  readonly pre: readonly [rank: number, number: bigint];
  /** −1: none, which is before `post0`. */
  readonly post: bigint;
  /** `null`: none, which is after every `dev`. */
  readonly dev: bigint | null;
  readonly local: readonly (string | bigint)[];
}

/** BigInt: date versions such as 20240101123456789012 do not fit a double. An absent number is 0. */
const number = (digits: string | undefined): bigint => BigInt(digits === undefined || digits === '' ? 0 : digits);

/** `null` if `text` is no such version. */
function parsePep440(text: string): Pep440Version | null {
  const match = text.length > MAX_CHARS ? null : PATTERN.exec(text.trim().toLowerCase());
  if (match === null) return null;
  const [, epoch, release = '', pre, preNumber, implicitPost, postWord, postNumber, devWord, devNumber, local] = match;
  const hasPost = implicitPost !== undefined || postWord !== undefined;
  const bare = pre === undefined && !hasPost && devWord !== undefined;
  return {
    epoch: number(epoch),
    // "1.0" is "1": zeros at the end do not count.
    release: release
      .replace(/(\.0+)+$/, '')
      .split('.')
      .map(BigInt),
    pre: pre === undefined ? [bare ? BEFORE_PRE : AFTER_PRE, 0n] : [PRE_RANK[pre] ?? AFTER_PRE, number(preNumber)],
    post: hasPost ? number(implicitPost ?? postNumber) : -1n,
    dev: devWord === undefined ? null : number(devNumber),
    local: (local ?? '')
      .split(/[-_.]/)
      .filter((part) => part !== '')
      .map((part) => (/^\d+$/.test(part) ? BigInt(part) : part)),
  };
}

/** Negative, zero or positive as `a` is before, the same as, or after `b`; `null` if either is no version. */
export function comparePep440(a: string, b: string): number | null {
  const [left, right] = [parsePep440(a), parsePep440(b)];
  if (left === null || right === null) return null;
  return (
    order(left.epoch, right.epoch) ||
    compareReleases(left.release, right.release) ||
    left.pre[0] - right.pre[0] ||
    order(left.pre[1], right.pre[1]) ||
    order(left.post, right.post) ||
    (left.dev === null ? Number(right.dev !== null) : right.dev === null ? -1 : order(left.dev, right.dev)) ||
    compareLocals(left.local, right.local)
  );
}

const order = <T extends bigint | string>(a: T, b: T): number => (a < b ? -1 : Number(a > b));

function compareReleases(a: readonly bigint[], b: readonly bigint[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = order(a[index] ?? 0n, b[index] ?? 0n);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** "Local version identifiers": numbers after words, longer after its own beginning. */
function compareLocals(a: Pep440Version['local'], b: Pep440Version['local']): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index], b[index]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    if (typeof left !== typeof right) return typeof left === 'bigint' ? 1 : -1;
    const difference = left < right ? -1 : Number(left > right);
    if (difference !== 0) return difference;
  }
  return 0;
}
