/**
 * From a plan to classic BPF as seccomp(2) takes it: a balanced tree of comparisons over the ranges
 * of call numbers that are answered alike, and behind its leaves the tests of arguments. The
 * program is written from its end, so that where a jump leads to is known when the jump is written.
 * Linux's Documentation/userspace-api/seccomp_filter.rst and linux/{filter,seccomp,audit}.h.
 */
import { type ArgumentTest, type CallRule, ERRNO, isAlways } from './call-rule.ts';
import type { FilterPlan } from './plan-filter.ts';
import { type Architecture, SYSCALLS } from './syscall-table.ts';

/** linux/filter.h: BPF_MAXINSNS. */
const MAX_INSTRUCTIONS = 4_096;
/** `jt` and `jf` are bytes. */
const MAX_CONDITIONAL_JUMP = 255;
const INSTRUCTION_BYTES = 8;

/** linux/bpf_common.h, the part that is used here. */
const BPF = { loadWord: 0x20, and: 0x54, jump: 0x05, jumpEqual: 0x15, jumpGreaterOrEqual: 0x35, return: 0x06 } as const;

/** linux/seccomp.h */
const RETURN = { killProcess: 0x8000_0000, allow: 0x7fff_0000, errno: 0x0005_0000 } as const;

/** struct seccomp_data: `nr`, `arch`, the instruction pointer, then six arguments of 64 bits, low half first. */
const OFFSET = { number: 0, architecture: 4, arguments: 16 } as const;

/** linux/audit.h: AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. */
const AUDIT_ARCH: Readonly<Record<Architecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };

/** asm/unistd.h: __X32_SYSCALL_BIT. Under it the same machine answers with other calls. */
const X32_BIT = 0x4000_0000;

/** What every number from `first` up to the next range's is answered with. */
interface NumberRange {
  readonly first: number;
  readonly verdict: number | CallRule;
}

function verdictOf(rule: CallRule): NumberRange['verdict'] {
  if (isAlways(rule.cases)) return RETURN.allow;
  return rule.cases.length === 0 ? RETURN.errno | rule.refusal : rule;
}

function keyOf(verdict: NumberRange['verdict']): string {
  return JSON.stringify(verdict, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

function planRanges(plan: FilterPlan, architecture: Architecture): NumberRange[] {
  const byNumber = new Map([...plan].map(([name, rule]) => [SYSCALLS[architecture].get(name), rule]));
  const end = Math.max(...SYSCALLS[architecture].values()) + 1;
  const unknown = RETURN.errno | ERRNO.ENOSYS;
  const ranges = Array.from({ length: end }, (_, first): NumberRange => {
    const rule = byNumber.get(first);
    return { first, verdict: rule === undefined ? unknown : verdictOf(rule) };
  });
  ranges.push({ first: end, verdict: unknown });
  if (architecture === 'x64') ranges.push({ first: X32_BIT, verdict: RETURN.killProcess });
  return ranges.filter(({ verdict }, index) => {
    const before = ranges[index - 1];
    return before === undefined || keyOf(before.verdict) !== keyOf(verdict);
  });
}

/** A program that grows towards its beginning. A place is counted from the end, and so stays where it is. */
class BackwardProgram {
  /** The last instruction first. */
  readonly #instructions: { code: number; jt: number; jf: number; k: number }[] = [];
  readonly #verdicts = new Map<string, number>();

  #push(code: number, k: number, jt = 0, jf = 0): number {
    return this.#instructions.push({ code, jt, jf, k: k >>> 0 }) - 1;
  }

  /** How many instructions an instruction written next would skip to get to `place`. */
  #distance(place: number): number {
    return this.#instructions.length - 1 - place;
  }

  /** A conditional jump; one that is too far goes by way of an unconditional one next to it. */
  test(code: number, k: number, whenTrue: number, whenFalse: number): number {
    let [jt, jf] = [whenTrue, whenFalse];
    // The first way station pushes the other place one further away: hence once more.
    for (let pass = 0; pass < 2; pass++) {
      if (this.#distance(jt) > MAX_CONDITIONAL_JUMP) jt = this.#push(BPF.jump, this.#distance(jt));
      if (this.#distance(jf) > MAX_CONDITIONAL_JUMP) jf = this.#push(BPF.jump, this.#distance(jf));
    }
    return this.#push(code, k, this.#distance(jt), this.#distance(jf));
  }

  load(offset: number): number {
    return this.#push(BPF.loadWord, offset);
  }

  and(mask: number): number {
    return this.#push(BPF.and, mask);
  }

  /** Written once for each verdict. */
  verdict(verdict: NumberRange['verdict']): number {
    const key = keyOf(verdict);
    const place = this.#verdicts.get(key) ?? this.#writeVerdict(verdict);
    this.#verdicts.set(key, place);
    return place;
  }

  #writeVerdict(verdict: NumberRange['verdict']): number {
    if (typeof verdict === 'number') return this.#push(BPF.return, verdict);
    const allow = this.verdict(RETURN.allow);
    let otherwise = this.verdict(RETURN.errno | verdict.refusal);
    for (const tests of verdict.cases.toReversed()) {
      let then = allow;
      for (const test of tests.toReversed()) then = this.#writeTest(test, then, otherwise);
      otherwise = then;
    }
    return otherwise;
  }

  /** Both halves of the argument, each where the mask has bits in it. */
  #writeTest({ argument, mask, values }: ArgumentTest, whenTrue: number, whenFalse: number): number {
    const halves = [1, 0]
      .map((half) => ({ offset: OFFSET.arguments + 8 * argument + 4 * half, shift: BigInt(32 * half) }))
      .filter(({ shift }) => halfOf(mask, shift) !== 0);
    let place = whenFalse;
    for (const value of values.toReversed()) {
      let then = whenTrue;
      for (const { offset, shift } of halves.toReversed()) {
        then = this.test(BPF.jumpEqual, halfOf(value, shift), then, place);
        then = this.#writeLoad(offset, halfOf(mask, shift));
      }
      place = then;
    }
    return place;
  }

  #writeLoad(offset: number, mask: number): number {
    if (mask !== 0xffff_ffff) this.and(mask);
    return this.load(offset);
  }

  /** @throws `TypeError` above what the kernel takes: our tables, not the profile, are too large then */
  encode(): Uint8Array {
    if (this.#instructions.length > MAX_INSTRUCTIONS) throw new TypeError('the filter is longer than BPF_MAXINSNS');
    const bytes = Buffer.alloc(this.#instructions.length * INSTRUCTION_BYTES);
    for (const [index, { code, jt, jf, k }] of this.#instructions.toReversed().entries()) {
      bytes.writeUInt16LE(code, index * INSTRUCTION_BYTES);
      bytes.writeUInt8(jt, index * INSTRUCTION_BYTES + 2);
      bytes.writeUInt8(jf, index * INSTRUCTION_BYTES + 3);
      bytes.writeUInt32LE(k, index * INSTRUCTION_BYTES + 4);
    }
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

function halfOf(value: bigint, shift: bigint): number {
  return Number((value >> shift) & 0xffff_ffffn);
}

/** Answers `ranges` by halving them; returns where to enter, which is the instruction written last. */
function writeTree(program: BackwardProgram, ranges: readonly NumberRange[]): number {
  const middle = ranges[Math.floor(ranges.length / 2)];
  if (middle === undefined) throw new TypeError('no ranges');
  if (ranges.length === 1) return program.verdict(middle.verdict);
  const index = ranges.indexOf(middle);
  const above = writeTree(program, ranges.slice(index));
  const below = writeTree(program, ranges.slice(0, index));
  return program.test(BPF.jumpGreaterOrEqual, middle.first, above, below);
}

/** Deterministic: equal plans give equal bytes, `struct sock_filter[]` in the little-endian order of both architectures. */
export function assembleFilter(plan: FilterPlan, architecture: Architecture): Uint8Array {
  const program = new BackwardProgram();
  const kill = program.verdict(RETURN.killProcess);
  writeTree(program, planRanges(plan, architecture)); // never a single range, so it begins with a test
  const right = program.load(OFFSET.number);
  program.test(BPF.jumpEqual, AUDIT_ARCH[architecture], right, kill);
  program.load(OFFSET.architecture);
  return program.encode();
}
