/**
 * Walks one function's code and notes what metering must know: where control flow forks, joins and
 * leaves, and the cost of the instructions between. Everything else is only measured. The notes
 * live in arrays that are used again for the next function.
 */
import {
  BULK,
  BULK_OPCODES,
  IMMEDIATE,
  isReferenceType,
  isValueType,
  OP,
  OPCODES,
  refusedFeature,
} from '../binary/opcodes.ts';
import { type FunctionType, type Range, refuseType } from '../binary/module.ts';
import { ByteReader, malformed, refuseFeature } from '../binary/reader.ts';
import { refuseLimit } from '../gate/refuse-limit.ts';
import type { ModuleLimits } from '../limits.ts';

/** Added to the second opcode of instructions after `0xFC`, so that events have one number for each. */
export const BULK_EVENT = 0x100;
/** No instruction: a place in long straight code where the counter can be tested. */
export const CHECKPOINT_EVENT = 0x200;

/**
 * Cost after which a function tests the counter, on every path and with the functions it calls: a
 * few times this is how far below zero fuel can get in each function on the call stack. Small beside
 * any budget, and large beside what functions without loops usually do, so that few pay for a test.
 */
export const MAX_UNTESTED = 4_096;
/** The same for a function called through a table, whose callers do not know which one it is. */
export const MAX_UNTESTED_BY_REFERENCE = 256;

/** The counter is a number of 64 bits; static costs stay far below this. */
const EVENT_FIELDS = 5;

/** Properties of a label: what a branch to it does. */
export const LABEL = { loop: 1, branched: 2, valued: 4, hasElse: 8 } as const;

/** Bytes whose instruction is an event. Everything else only adds to the cost. */
const IS_EVENT = new Uint8Array(256);
for (const opcode of [
  OP.unreachable,
  OP.block,
  OP.loop,
  OP.if,
  OP.else,
  OP.end,
  OP.br,
  OP.brIf,
  OP.brTable,
  OP.return,
  OP.call,
  OP.callIndirect,
  OP.memoryGrow,
]) {
  IS_EVENT[opcode] = 1;
}
const BULK_EVENTS: ReadonlySet<number> = new Set(Object.values(BULK));

export class FunctionScan {
  /** Of five numbers each: start, end, opcode, cost up to and including it since the event before, argument. */
  events = new Int32Array(5_120);
  eventCount = 0;
  /** `LABEL` bits by label number; 0 is the function itself. */
  labelFlags = new Uint8Array(256);
  /** Labels that one `br_table` may reach are one class, named by one of them. */
  labelClass = new Int32Array(256);
  labelCount = 0;
  /** Parameters and declared locals. */
  locals = 0;
  /** Start of the local declarations' groups, after their count; and of the code after them. */
  groups = 0;
  groupsStart = 0;
  codeStart = 0;
  /** Static sum of all costs. */
  cost = 0;
  hasLoop = false;
  /** Without branches, calls and whatever is charged by length: its cost is known before it runs. */
  isStraight = true;
  callsIndirectly = false;
  usesLength = false;
  /** Functions called directly, once for each call. */
  calls = new Int32Array(64);
  callCount = 0;

  readonly #types: readonly FunctionType[];
  readonly #functionCount: number;
  readonly #limits: ModuleLimits;
  #stack = new Int32Array(256);
  #depth = 0;

  constructor(types: readonly FunctionType[], functionCount: number, limits: ModuleLimits) {
    this.#types = types;
    this.#functionCount = functionCount;
    this.#limits = limits;
  }

  /** @throws `ERR_WASM_MALFORMED`, `ERR_WASM_FEATURE`, `ERR_WASM_LIMIT` */
  scan(bytes: Uint8Array, body: Range, type: FunctionType): void {
    if (body.end - body.start > this.#limits.functionBytes) {
      refuseLimit('functionBytes', this.#limits.functionBytes, body.end - body.start);
    }
    const reader = new ByteReader(bytes, body.start, body.end);
    this.#reset();
    this.#readLocals(reader, type.parameters);
    this.#openLabel(type.results > 0 ? LABEL.valued : 0);
    this.#walk(reader);
    if (reader.pos !== reader.end) malformed('code after the end of a function', reader.pos);
  }

  #reset(): void {
    this.eventCount = 0;
    this.labelCount = 0;
    this.cost = 0;
    this.callCount = 0;
    this.hasLoop = false;
    this.isStraight = true;
    this.callsIndirectly = false;
    this.usesLength = false;
    this.#depth = 0;
  }

  #readLocals(reader: ByteReader, parameters: number): void {
    this.groups = reader.count(2);
    this.groupsStart = reader.pos;
    this.locals = parameters;
    for (let left = this.groups; left > 0; left--) {
      this.locals += reader.u32();
      const byte = reader.byte();
      if (!isValueType(byte)) refuseType(byte, reader.pos - 1);
    }
    if (this.locals > this.#limits.locals) refuseLimit('locals', this.#limits.locals, this.locals);
    this.codeStart = reader.pos;
  }

  #walk(reader: ByteReader): void {
    const { immediates, costs } = OPCODES;
    let cost = 0;
    while (this.#depth > 0) {
      const start = reader.pos;
      if (cost > MAX_UNTESTED) {
        this.#event(start, start, CHECKPOINT_EVENT, cost, 0);
        this.cost += cost;
        cost = 0;
      }
      const opcode = reader.byte();
      cost += costs[opcode]!;
      if (IS_EVENT[opcode] === 1) {
        const argument = this.#control(reader, opcode);
        this.#event(start, reader.pos, opcode, cost, argument);
        this.cost += cost;
        cost = 0;
      } else if (opcode === OP.prefix) {
        const second = this.#bulk(reader, start);
        if (BULK_EVENTS.has(second)) {
          this.isStraight = false;
          this.usesLength = true;
          this.#event(start, reader.pos, BULK_EVENT + second, cost, 0);
          this.cost += cost;
          cost = 0;
        }
      } else {
        const immediate = immediates[opcode]!;
        // The two most frequent kinds, without another call.
        if (immediate === IMMEDIATE.index) reader.u32();
        else if (immediate !== IMMEDIATE.none) skipImmediate(reader, immediate, opcode, start);
      }
    }
  }

  /** Reads an event's immediates. @returns the event's argument: a label's number or a function's index */
  #control(reader: ByteReader, opcode: number): number {
    switch (opcode) {
      case OP.block:
      case OP.if:
        this.isStraight = false;
        return this.#openLabel(readBlockType(reader, this.#types).results > 0 ? LABEL.valued : 0);
      case OP.loop:
        this.isStraight = false;
        this.hasLoop = true;
        return this.#openLabel(LABEL.loop | (readBlockType(reader, this.#types).parameters > 0 ? LABEL.valued : 0));
      case OP.else: {
        const label = this.#stack[this.#depth - 1]!;
        this.labelFlags[label]! |= LABEL.hasElse;
        return label;
      }
      case OP.end:
        this.#depth--;
        return this.#stack[this.#depth]!;
      case OP.br:
      case OP.brIf:
        this.isStraight = false;
        return this.#branch(reader);
      case OP.brTable: {
        this.isStraight = false;
        const targets = reader.count(1);
        const first = this.#branch(reader);
        for (let left = targets; left > 0; left--) this.#unite(first, this.#branch(reader));
        return first;
      }
      case OP.call: {
        this.isStraight = false;
        const at = reader.pos;
        const index = reader.u32();
        if (index >= this.#functionCount) malformed('unknown function', at);
        if (this.callCount === this.calls.length) this.calls = grown(this.calls);
        this.calls[this.callCount++] = index;
        return index;
      }
      case OP.callIndirect:
        this.isStraight = false;
        this.callsIndirectly = true;
        skipImmediate(reader, IMMEDIATE.twoIndices, opcode, reader.pos);
        return 0;
      case OP.memoryGrow:
        this.isStraight = false;
        this.usesLength = true;
        skipImmediate(reader, IMMEDIATE.zero, opcode, reader.pos);
        return 0;
      case OP.return:
      case OP.unreachable:
        this.isStraight = false;
        return 0;
      default:
        throw new TypeError(`opcode ${opcode} is no event`);
    }
  }

  #bulk(reader: ByteReader, start: number): number {
    const second = reader.u32();
    skipImmediate(reader, BULK_OPCODES.immediates[second] ?? IMMEDIATE.refused, OP.prefix, start, second);
    return second;
  }

  #openLabel(flags: number): number {
    const label = this.labelCount++;
    if (label === this.labelFlags.length) {
      const flagsGrown = new Uint8Array(label * 2);
      flagsGrown.set(this.labelFlags);
      this.labelFlags = flagsGrown;
      this.labelClass = grown(this.labelClass);
    }
    this.labelFlags[label] = flags;
    this.labelClass[label] = label;
    // The function itself is not a block.
    if (this.#depth > this.#limits.nesting) refuseLimit('nesting', this.#limits.nesting, this.#depth);
    if (this.#depth === this.#stack.length) this.#stack = grown(this.#stack);
    this.#stack[this.#depth++] = label;
    return label;
  }

  #branch(reader: ByteReader): number {
    const at = reader.pos;
    const depth = reader.u32();
    if (depth >= this.#depth) malformed('unknown label', at);
    const label = this.#stack[this.#depth - 1 - depth]!;
    this.labelFlags[label]! |= LABEL.branched;
    return label;
  }

  /** The class of a label, by its name. */
  classOf(label: number): number {
    let root = label;
    while (this.labelClass[root] !== root) {
      const parent = this.labelClass[root]!;
      this.labelClass[root] = this.labelClass[parent]!;
      root = this.labelClass[root]!;
    }
    return root;
  }

  #unite(a: number, b: number): void {
    // The smallest is the name, so that the function's own label names its class.
    const first = this.classOf(a);
    const second = this.classOf(b);
    this.labelClass[Math.max(first, second)] = Math.min(first, second);
  }

  #event(start: number, end: number, opcode: number, cost: number, argument: number): void {
    const at = this.eventCount * EVENT_FIELDS;
    if (at + EVENT_FIELDS > this.events.length) this.events = grown(this.events);
    const events = this.events;
    events[at] = start;
    events[at + 1] = end;
    events[at + 2] = opcode;
    events[at + 3] = cost;
    events[at + 4] = argument;
    this.eventCount++;
  }
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Reads what follows an opcode. @throws `ERR_WASM_FEATURE`, `ERR_WASM_MALFORMED` */
export function skipImmediate(
  reader: ByteReader,
  immediate: number,
  opcode: number,
  start: number,
  second?: number,
): void {
  switch (immediate) {
    case IMMEDIATE.none:
      return;
    case IMMEDIATE.index:
      reader.u32();
      return;
    case IMMEDIATE.memory:
      // Alignments are at most 3; bit 6 is where multi-memory puts an index.
      if (reader.u32() >= 64) refuseFeature('multi-memory', start);
      reader.u32();
      return;
    case IMMEDIATE.i32:
      reader.signed(32);
      return;
    case IMMEDIATE.i64:
      reader.signed(64);
      return;
    case IMMEDIATE.f32:
      reader.skip(4);
      return;
    case IMMEDIATE.f64:
      reader.skip(8);
      return;
    case IMMEDIATE.twoIndices:
      reader.u32();
      reader.u32();
      return;
    case IMMEDIATE.indexZero:
      reader.u32();
      readZero(reader, start);
      return;
    case IMMEDIATE.twoZeros:
      readZero(reader, start);
      readZero(reader, start);
      return;
    case IMMEDIATE.zero:
      readZero(reader, start);
      return;
    case IMMEDIATE.types:
      for (let left = reader.count(1); left > 0; left--) {
        const byte = reader.byte();
        if (!isValueType(byte)) refuseType(byte, reader.pos - 1);
      }
      return;
    case IMMEDIATE.referenceType: {
      const byte = reader.byte();
      if (!isReferenceType(byte)) refuseType(byte, reader.pos - 1);
      return;
    }
    default:
      refuseOpcode(reader, opcode, start, second);
  }
}

function readZero(reader: ByteReader, start: number): void {
  if (reader.byte() !== 0) refuseFeature('multi-memory', start);
}

function refuseOpcode(reader: ByteReader, opcode: number, start: number, second: number | undefined): never {
  const isPrefix = opcode >= 0xfb && opcode <= 0xfe;
  const feature = refusedFeature(opcode, second ?? (isPrefix ? reader.u32() : 0));
  return feature === undefined ? malformed('unknown instruction', start) : refuseFeature(feature, start);
}

const BLOCK_TYPE_EMPTY: FunctionType = { parameters: 0, results: 0 };
const BLOCK_TYPE_VALUE: FunctionType = { parameters: 0, results: 1 };

/** Core specification §5.4.1: empty, a value type, or the index of a function type. */
export function readBlockType(reader: ByteReader, types: readonly FunctionType[]): FunctionType {
  const at = reader.pos;
  const byte = reader.bytes[at];
  if (at < reader.end && byte !== undefined) {
    if (byte === 0x40 || isValueType(byte)) {
      reader.skip(1);
      return byte === 0x40 ? BLOCK_TYPE_EMPTY : BLOCK_TYPE_VALUE;
    }
    if ((byte & 0xc0) === 0x40) refuseType(byte, at); // One byte and negative: a type we do not have.
  }
  const index = reader.signed(33);
  const type = types[index];
  return type ?? malformed('unknown block type', at);
}
