/**
 * Random valid modules for the fuzzer: every accepted instruction, loops that may not end,
 * `br_table`, multi-value blocks, direct and indirect calls, functions their callers pay for,
 * recursion, bulk operations, growing, globals, references, dead code, long straight code. A seed gives
 * the same module on every machine. Code is valid by construction; the test asks V8.
 */
import {
  NUMERIC_INSTRUCTIONS,
  NUMERIC_TYPES,
  type NumericInstruction,
  type NumericType,
  numericType,
} from './numeric-instructions.ts';
import { OP, VALUE_TYPE } from '../src/binary/opcodes.ts';
import { ByteWriter } from '../src/binary/writer.ts';

/** Mulberry32: small, seeded, the same everywhere. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const { i32, funcref, externref } = VALUE_TYPE;
/** Function types of every module: parameters and results, all i32. */
const TYPES: readonly (readonly [parameters: number[], results: number[]])[] = [
  [[], []],
  [[i32], [i32]],
  [
    [i32, i32],
    [i32, i32],
  ],
  [[], [i32]],
];
const [VOID, UNARY, PAIR, SOURCE] = [0, 1, 2, 3] as const;
/** i32 locals of every function; after them one of each other type. */
const LOCALS = 4;
const OTHER_LOCALS = [VALUE_TYPE.i64, VALUE_TYPE.f32, VALUE_TYPE.f64, funcref, externref];
const GLOBALS = 2;
const MEMORY_PAGES = 1;

interface Label {
  /** Values a branch to it takes; all i32. */
  readonly arity: number;
}

/** A module that exports `run: () -> i32`, `memory` and `g0`, `g1`. */
export function randomModule(seed: number): Uint8Array {
  const random = randomFrom(seed);
  const plainCount = 2 + random(5);
  /** After the others come leaves: without branches and calls, so that callers may pay for them. */
  const functionCount = plainCount + random(3);
  // `run` is the first; the others take one or two values.
  const types = [SOURCE, ...Array.from({ length: functionCount - 1 }, () => [VOID, UNARY, PAIR, SOURCE][random(4)]!)];
  const out = new ByteWriter(4_096);
  for (const byte of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte);
  section(out, 1, () => {
    out.u32(TYPES.length);
    for (const [parameters, results] of TYPES) {
      out.byte(0x60);
      for (const list of [parameters, results]) {
        out.u32(list.length);
        for (const type of list) out.byte(type);
      }
    }
  });
  section(out, 3, () => vector(out, types, (type) => out.u32(type)));
  section(out, 4, () => raw(out, [1, funcref, 1, 8, 20]));
  section(out, 5, () => raw(out, [1, 1, MEMORY_PAGES, 3]));
  section(out, 6, () => vector(out, Array.from({ length: GLOBALS }), () => raw(out, [i32, 1, OP.i32Const, 5, OP.end])));
  section(out, 7, () => {
    out.u32(2 + GLOBALS);
    exported(out, 'run', 0, 0);
    exported(out, 'memory', 2, 0);
    for (let g = 0; g < GLOBALS; g++) exported(out, `g${g}`, 3, g);
  });
  const referenced = Array.from({ length: 6 }, () => random(random(8) === 0 ? functionCount : plainCount));
  section(out, 9, () => {
    raw(out, [2, 0, OP.i32Const, 0, OP.end]);
    vector(out, referenced, (f) => out.u32(f));
    raw(out, [1, 0]);
    vector(out, referenced, (f) => out.u32(f));
  });
  section(out, 12, () => out.u32(1));
  section(out, 10, () =>
    vector(out, [...types.entries()], ([f, type]) => {
      const mark = out.open();
      new Body(out, random, types, type, referenced[0]!, f >= plainCount).write();
      out.close(mark);
    }),
  );
  section(out, 11, () => {
    raw(out, [1, 1]);
    vector(out, Array.from({ length: 32 }), () => out.byte(random(256)));
  });
  return out.take();
}

class Body {
  readonly #out: ByteWriter;
  readonly #random: (below: number) => number;
  readonly #types: readonly number[];
  readonly #type: number;
  /** A function that `ref.func` may name. */
  readonly #referenced: number;
  readonly #isLeaf: boolean;
  #labels: Label[];
  /** Instructions that may still be generated. */
  #budget: number;

  constructor(
    out: ByteWriter,
    random: (below: number) => number,
    types: readonly number[],
    type: number,
    referenced: number,
    isLeaf: boolean,
  ) {
    this.#out = out;
    this.#random = random;
    this.#types = types;
    this.#type = type;
    this.#referenced = referenced;
    this.#isLeaf = isLeaf;
    this.#labels = [{ arity: TYPES[type]![1].length }];
    this.#budget = 10 + random(120);
  }

  write(): void {
    raw(this.#out, [1 + OTHER_LOCALS.length, LOCALS, i32, ...OTHER_LOCALS.flatMap((type) => [1, type])]);
    if (this.#isLeaf) this.#leaf();
    else this.#statements();
    this.#values(TYPES[this.#type]![1].length);
    this.#out.byte(OP.end);
  }

  #local(): number {
    return this.#random(LOCALS + TYPES[this.#type]![0].length);
  }

  #otherLocal(type: number): number {
    return TYPES[this.#type]![0].length + LOCALS + OTHER_LOCALS.indexOf(type as (typeof OTHER_LOCALS)[number]); // looked for
  }

  #values(count: number): void {
    for (let i = 0; i < count; i++) this.#value(2);
  }

  /** Statements that neither branch nor call nor take a length. */
  #leaf(): void {
    for (let left = this.#random(4); left > 0; left--) {
      const choice = this.#random(3);
      if (choice === 0) this.#store();
      else if (choice === 1) this.#referenceOperation();
      else {
        this.#value(1);
        raw(this.#out, [OP.localSet, this.#local()]);
      }
    }
  }

  /** Leaves one value of this type. */
  #numeric(type: NumericType, depth: number): void {
    const out = this.#out;
    if (depth > 0) {
      const fitting = NUMERIC_INSTRUCTIONS.filter(
        ({ result, mayTrap }) => result === type && (!mayTrap || this.#random(8) === 0),
      );
      this.#apply(fitting[this.#random(fitting.length)]!, depth - 1);
    } else if (type === 'i32') this.#value(0);
    else if (this.#random(2) === 0) raw(out, [OP.localGet, this.#otherLocal(numericType(type))]);
    else if (type === 'i64') raw(out, [OP.i64Const, this.#random(128)]);
    else {
      out.byte(type === 'f32' ? 0x43 : 0x44);
      for (let left = type === 'f32' ? 4 : 8; left > 0; left--) out.byte(this.#random(256));
    }
  }

  #apply({ code, parameters, isAccess, showsBits }: NumericInstruction, depth: number): void {
    const out = this.#out;
    for (const [i, parameter] of parameters.entries()) {
      if (isAccess && i === 0) {
        this.#value(0);
        raw(out, [OP.i32Const, 0xff, 0x1f, 0x71]); // & 4095
        continue;
      }
      this.#numeric(parameter, depth);
      if (showsBits && (parameter === 'f32' || parameter === 'f64')) {
        // A NaN becomes 0, for its bits are not the same in all compilers: x == x ? x : 0.
        const local = this.#otherLocal(numericType(parameter));
        raw(out, [OP.localTee, local, parameter === 'f32' ? 0x43 : 0x44]);
        for (let left = parameter === 'f32' ? 4 : 8; left > 0; left--) out.byte(0);
        raw(out, [OP.localGet, local, OP.localGet, local, parameter === 'f32' ? 0x5b : 0x61, OP.select]);
      }
    }
    raw(out, isAccess ? [...code, 0, this.#random(100)] : code);
  }

  #store(): void {
    const stores = NUMERIC_INSTRUCTIONS.filter(({ result }) => result === null);
    this.#apply(stores[this.#random(stores.length)]!, 1);
  }

  #referenceOperation(): void {
    const out = this.#out;
    const local = this.#otherLocal(funcref);
    const index = [OP.i32Const, this.#random(8)];
    const dropped = this.#otherLocal(externref);
    const operations: readonly (readonly number[])[] = [
      [...index, 0x25, 0, OP.localSet, local], // table.get
      [...index, OP.localGet, local, 0x26, 0], // table.set
      [OP.refFunc, this.#referenced, OP.localTee, local, 0xd1, OP.globalSet, 0], // ref.func, ref.is_null
      [0xd0, externref, OP.localGet, dropped, ...index, 0x1c, 1, externref, OP.localSet, dropped], // select_t
      [OP.prefix, 16, 0, OP.globalSet, 1], // table.size
      [0x3f, 0, OP.globalSet, 1], // memory.size
      this.#random(4) === 0 ? [OP.prefix, 13, 1] : [OP.nop], // elem.drop
      this.#random(4) === 0 ? [OP.prefix, 9, 0] : [OP.nop], // data.drop
    ];
    raw(out, operations[this.#random(operations.length)]!);
  }

  /** Leaves one i32. */
  #value(depth: number): void {
    const out = this.#out;
    this.#budget--;
    let choice = depth === 0 ? this.#random(3) : this.#random(11);
    if (this.#isLeaf && (choice === 7 || choice === 9)) choice = 4;
    if (choice < 1) raw(out, [OP.i32Const, this.#random(64)]);
    else if (choice < 2) raw(out, [OP.globalGet, this.#random(GLOBALS)]);
    else if (choice < 4) raw(out, [OP.localGet, this.#local()]);
    else if (choice < 6) {
      this.#value(depth - 1);
      this.#value(depth - 1);
      // Of the arithmetic also what traps: division.
      out.byte([0x6a, 0x6b, 0x6c, 0x71, 0x73, 0x48, 0x70][this.#random(this.#random(8) === 0 ? 7 : 6)]!);
    } else if (choice < 7) {
      this.#value(depth - 1);
      raw(out, [OP.i32Const, 0xff, 0x1f, 0x71, 0x2d, 0, 0]); // & 4095; i32.load8_u
    } else if (choice < 8) {
      this.#structured(VALUE_BLOCK, 1);
    } else if (choice < 9) {
      this.#value(depth - 1);
      this.#value(depth - 1);
      this.#value(depth - 1);
      out.byte(OP.select);
    } else if (choice < 10) this.#callFor(1);
    else this.#numeric('i32', depth);
  }

  /** Calls something with `results` results; a constant when there is nothing. */
  #callFor(results: number): void {
    const candidates = this.#types.flatMap((type, f) => (TYPES[type]![1].length === results ? [f] : []));
    const callee = candidates[this.#random(Math.max(1, candidates.length))];
    if (callee === undefined) {
      for (let i = 0; i < results; i++) raw(this.#out, [OP.i32Const, 1]);
      return;
    }
    this.#budget -= 4;
    const type = this.#types[callee]!;
    this.#values(TYPES[type]![0].length);
    if (this.#random(3) === 0) {
      this.#value(0);
      raw(this.#out, [OP.i32Const, 7, 0x71, OP.callIndirect, type, 0]);
    } else raw(this.#out, [OP.call, callee]);
  }

  #statements(): void {
    for (let left = 1 + this.#random(6); left > 0 && this.#budget > 0; left--) this.#statement();
  }

  #statement(): void {
    const out = this.#out;
    this.#budget -= 2;
    switch (this.#random(19)) {
      case 0:
      case 1:
        this.#value(2);
        raw(out, [OP.localSet, this.#local()]);
        return;
      case 2:
        this.#value(2);
        raw(out, [OP.globalSet, this.#random(GLOBALS)]);
        return;
      case 3:
        this.#value(1);
        raw(out, [OP.i32Const, 0xff, 0x1f, 0x71]);
        this.#value(1);
        raw(out, [0x3a, 0, 0]); // i32.store8
        return;
      case 4:
      case 5:
        this.#structured(EMPTY_BLOCK, 0);
        return;
      case 6:
      case 7:
        this.#countedLoop();
        return;
      case 8: {
        const to = this.#random(this.#labels.length);
        this.#values(this.#arity(to));
        this.#value(1);
        raw(out, [OP.brIf, to]);
        for (let i = this.#arity(to); i > 0; i--) out.byte(OP.drop);
        return;
      }
      case 9:
        this.#callFor(0);
        return;
      case 10:
        this.#callFor(2);
        raw(out, [OP.drop, OP.drop]);
        return;
      case 11:
      case 17:
        this.#lengthOperation();
        return;
      case 12:
        if (this.#random(3) === 0) this.#leave();
        return;
      case 13:
        this.#multiValueBlock();
        return;
      case 14:
        this.#store();
        return;
      case 15:
        this.#referenceOperation();
        return;
      case 16: {
        const type = NUMERIC_TYPES[this.#random(NUMERIC_TYPES.length)]!;
        this.#numeric(type, 2);
        raw(out, [OP.localSet, type === 'i32' ? this.#local() : this.#otherLocal(numericType(type))]);
        if (this.#random(64) === 0) for (let i = 0; i < 4_200; i++) raw(out, [OP.i32Const, 1, OP.drop]);
        return;
      }
      default:
        raw(out, [OP.nop]);
        this.#value(1);
        out.byte(OP.drop);
    }
  }

  #arity(depth: number): number {
    return this.#labels[this.#labels.length - 1 - depth]!.arity;
  }

  /** Something that does not return, inside a block of its own, with dead code behind it. */
  #leave(): void {
    const out = this.#out;
    raw(out, [OP.block, EMPTY_BLOCK]);
    this.#labels.push({ arity: 0 });
    const to = this.#random(this.#labels.length);
    const choice = this.#random(5);
    if (choice === 0) {
      this.#value(1);
      raw(out, [OP.if, EMPTY_BLOCK, OP.unreachable, OP.end]);
    } else if (choice === 1) {
      this.#values(TYPES[this.#type]![1].length);
      raw(out, [OP.return]);
    } else if (choice === 2) {
      this.#values(this.#arity(to));
      raw(out, [OP.br, to]);
    } else {
      const arity = this.#arity(to);
      const same = this.#labels.map((_, depth) => depth).filter((depth) => this.#arity(depth) === arity);
      this.#values(arity);
      this.#value(1);
      raw(out, [OP.brTable, 3]);
      for (let i = 0; i < 4; i++) out.u32(same[this.#random(same.length)]!);
    }
    if (this.#random(2) === 0) this.#statements();
    raw(out, [OP.end]);
    this.#labels.pop();
  }

  /** `block`, `loop` or `if` of this type, around statements. */
  #structured(blockType: number, results: number): void {
    const out = this.#out;
    const opcode = [OP.block, OP.if, OP.loop][this.#random(3)]!;
    if (opcode === OP.if) this.#value(1);
    raw(out, [opcode, blockType]);
    this.#labels.push({ arity: opcode === OP.loop ? 0 : results });
    this.#statements();
    this.#values(results);
    if (opcode === OP.if && (results > 0 || this.#random(2) === 0)) {
      out.byte(OP.else);
      this.#statements();
      this.#values(results);
    }
    out.byte(OP.end);
    this.#labels.pop();
  }

  /** A loop that mostly ends: it counts a local down. */
  #countedLoop(): void {
    const out = this.#out;
    const local = TYPES[this.#type]![0].length + this.#random(LOCALS);
    raw(out, [OP.i32Const, this.#random(20), OP.localSet, local, OP.loop, EMPTY_BLOCK]);
    this.#labels.push({ arity: 0 });
    this.#statements();
    raw(out, [OP.localGet, local, OP.i32Const, 1, 0x6b, OP.localTee, local, OP.i32Const, 0, 0x4a, OP.brIf, 0, OP.end]);
    this.#labels.pop();
  }

  #multiValueBlock(): void {
    const out = this.#out;
    this.#values(2);
    const opcode = [OP.block, OP.loop, OP.if][this.#random(3)]!;
    if (opcode === OP.if) this.#value(1);
    raw(out, [opcode, PAIR]);
    this.#labels.push({ arity: 2 });
    if (opcode !== OP.loop || this.#random(4) === 0) {
      this.#value(1);
      raw(out, [OP.brIf, 0]);
    }
    raw(out, [OP.drop, OP.drop]);
    this.#statements();
    this.#values(2);
    // Without `else`, or with one that passes on what it was given.
    if (opcode === OP.if && this.#random(2) === 0) out.byte(OP.else);
    raw(out, [OP.end, OP.drop, OP.drop]);
    this.#labels.pop();
  }

  #lengthOperation(): void {
    const out = this.#out;
    const small = () => {
      this.#value(0);
      raw(out, [OP.i32Const, 31, 0x71]);
    };
    const choice = this.#random(8);
    if (choice === 0) raw(out, [OP.i32Const, this.#random(4), OP.memoryGrow, 0, OP.globalSet, 0]);
    else if (choice === 1) raw(out, [0xd0, funcref, OP.i32Const, this.#random(4), OP.prefix, 15, 0, OP.drop]);
    else {
      const [operation, immediates] = (
        [
          [8, [0, 0]], // memory.init
          [10, [0, 0]], // memory.copy
          [11, [0]], // memory.fill
          [14, [0, 0]], // table.copy
          [12, [1, 0]], // table.init
          [17, [0]], // table.fill
        ] as const
      )[choice - 2]!;
      if (operation === 17)
        raw(out, [OP.i32Const, this.#random(5), OP.localGet, this.#otherLocal(funcref), OP.i32Const, this.#random(4)]);
      else if (operation >= 12)
        // within 8 elements
        raw(out, [OP.i32Const, this.#random(3), OP.i32Const, this.#random(3), OP.i32Const, this.#random(4)]);
      else for (let i = 0; i < 3; i++) small();
      raw(out, [OP.prefix, operation, ...immediates]);
    }
  }
}

const EMPTY_BLOCK = 0x40;
const VALUE_BLOCK = i32;

function raw(out: ByteWriter, bytes: readonly number[]): void {
  for (const byte of bytes) out.byte(byte);
}

function vector<T>(out: ByteWriter, items: readonly T[], write: (item: T) => void): void {
  out.u32(items.length);
  for (const item of items) write(item);
}

function section(out: ByteWriter, id: number, write: () => void): void {
  out.byte(id);
  const mark = out.open();
  write();
  out.close(mark);
}

function exported(out: ByteWriter, name: string, kind: number, index: number): void {
  out.name(name);
  out.byte(kind);
  out.u32(index);
}
