/**
 * Rewrites one function so that it pays for its work.
 *
 * The counter is a global that holds the fuel left. While a function runs, the true value is
 * `counter − owed`, where `owed` is known statically at every place, and the counter is in the global,
 * in a local, or in both. Costs are owed as long as that is exact: code that is always executed
 * together is charged once, a branch pays only the difference to what the others owe at the same
 * label, and the counter moves between the two only where it must. It is exact and in the global
 * whenever something else can see it: at calls, returns and deliberate traps.
 *
 * What one label expects is decided by the first way to reach it, which then costs nothing.
 *
 * The counter is tested at every loop and, on each path through the function, whenever more than
 * `MAX_UNTESTED` was executed since the last test.
 */
import { BULK, OP, VALUE_TYPE } from '../binary/opcodes.ts';
import type { ByteWriter } from '../binary/writer.ts';
import {
  BULK_EVENT,
  CHECKPOINT_EVENT,
  type FunctionScan,
  LABEL,
  MAX_UNTESTED,
  MAX_UNTESTED_BY_REFERENCE,
} from './scan.ts';

/** Local declarations that are added: the counter; a length and the result of growing by it. */
const COUNTER_GROUP = Uint8Array.of(1, VALUE_TYPE.i64);
const LENGTH_GROUP = Uint8Array.of(2, VALUE_TYPE.i32);
/** Locals that are added at most. */
export const ADDED_LOCALS = 3;

/** Where the counter is. */
const PLACE = { global: 0, both: 1, local: 2 } as const;
type Place = (typeof PLACE)[keyof typeof PLACE];

const EMPTY_BLOCK = 0x40;
/** Bytes and table elements are charged in eighths and whole: 8 bytes of memory, or one reference, per unit. */
const BYTES_SHIFT = 3;
/** A page that was added is charged like writing it. */
const PAGE_COST = 65_536 >> BYTES_SHIFT;

const DYNAMIC_SHIFT: ReadonlyMap<number, number> = new Map([
  [BULK_EVENT + BULK.memoryInit, BYTES_SHIFT],
  [BULK_EVENT + BULK.memoryCopy, BYTES_SHIFT],
  [BULK_EVENT + BULK.memoryFill, BYTES_SHIFT],
  [BULK_EVENT + BULK.tableInit, 0],
  [BULK_EVENT + BULK.tableCopy, 0],
  [BULK_EVENT + BULK.tableFill, 0],
]);

/** What all functions of a module share. */
export interface WeaveSettings {
  /** Index of the global that holds the fuel left. */
  readonly fuelGlobal: number;
  readonly deniedGlobal: number;
  /** What a refused `memory.grow` does; `ignore` when the module's own maximum is what refuses. */
  readonly onMemoryLimit: 'refuse' | 'trap' | 'ignore';
  /** Cost of a function that its callers charge, by index; -1 of all others. */
  readonly prepaidCost: (functionIndex: number) => number;
  /** What a direct call of this function executes at most before its first test, or in all. */
  readonly untestedCost: (functionIndex: number) => number;
}

export class Weaver {
  readonly #out: ByteWriter;
  readonly #settings: WeaveSettings;
  #scan!: FunctionScan; // Set by `weave` before anything else runs.
  #place: Place = PLACE.global;
  #owed = 0;
  /** Most that can have been executed since the last test, on any path to here. */
  #untested = 0;
  #isDead = false;
  #counterLocal = 0;
  #lengthLocal = 0;
  #depth = 0;
  /** What labels expect, by class; a place of -1 while that is open. */
  #classPlace = new Int8Array(256);
  #classOwed = new Int32Array(256);
  #classUntested = new Int32Array(256);
  /** Nesting depth of each label. */
  #labelDepth = new Int32Array(256);
  /** By nesting depth: what held at the condition of an `if`. */
  #ifPlace = new Int8Array(64);
  #ifOwed = new Int32Array(64);
  #ifUntested = new Int32Array(64);
  #ifDead = new Uint8Array(64);

  constructor(out: ByteWriter, settings: WeaveSettings) {
    this.#out = out;
    this.#settings = settings;
  }

  /** Appends the rewritten function, without its length, from what `scan` noted of it. */
  weave(bytes: Uint8Array, end: number, scan: FunctionScan, testsEntry: boolean, isPrepaid: boolean): void {
    const out = this.#out;
    this.#begin(scan);
    if (isPrepaid) {
      out.u32(scan.groups);
      out.copy(bytes, scan.groupsStart, end);
      return;
    }
    out.u32(scan.groups + (scan.usesLength ? 2 : 1));
    out.copy(bytes, scan.groupsStart, scan.codeStart);
    out.copy(COUNTER_GROUP, 0, 2);
    if (scan.usesLength) out.copy(LENGTH_GROUP, 0, 2);
    if (testsEntry) {
      this.#settle(PLACE.both, 0);
      this.#test();
    }
    const events = scan.events;
    let copied = scan.codeStart;
    for (let i = 0, at = 0; i < scan.eventCount; i++, at += 5) {
      const start = events[at]!;
      out.copy(bytes, copied, start);
      copied = events[at + 1]!;
      this.#owed += events[at + 3]!;
      this.#untested += events[at + 3]!;
      if (this.#untested > MAX_UNTESTED && !this.#isDead) {
        this.#settle(this.#place, 0);
        this.#test();
      }
      this.#event(bytes, start, copied, events[at + 2]!, events[at + 4]!);
    }
  }

  #begin(scan: FunctionScan): void {
    this.#scan = scan;
    this.#place = PLACE.global;
    this.#owed = 0;
    this.#untested = 0;
    this.#isDead = false;
    this.#depth = 0;
    this.#counterLocal = scan.locals;
    this.#lengthLocal = scan.locals + 1;
    if (this.#classPlace.length < scan.labelCount) {
      const size = scan.labelCount * 2;
      this.#classPlace = new Int8Array(size);
      this.#classOwed = new Int32Array(size);
      this.#classUntested = new Int32Array(size);
      this.#labelDepth = new Int32Array(size);
    }
    this.#classPlace.fill(-1, 0, scan.labelCount);
    this.#classUntested.fill(0, 0, scan.labelCount);
    // Whoever branches to the function's own label leaves it, with the counter exact and in the global.
    this.#classPlace[0] = PLACE.global;
    this.#classOwed[0] = 0;
    this.#push(0);
  }

  #event(bytes: Uint8Array, start: number, end: number, opcode: number, argument: number): void {
    const out = this.#out;
    switch (opcode) {
      case CHECKPOINT_EVENT:
        return; // Tested already, when it was time.
      case OP.block:
        this.#push(argument);
        out.copy(bytes, start, end);
        return;
      case OP.loop:
        this.#loop(bytes, start, end, argument);
        return;
      case OP.if:
        // The way past an `if` without `else` has no room for code: it must be what the end expects.
        if (!this.#isDead && (this.#scan.labelFlags[argument]! & LABEL.hasElse) === 0) this.#arrive(argument);
        this.#push(argument);
        out.copy(bytes, start, end);
        return;
      case OP.else:
        if (!this.#isDead) this.#arrive(argument);
        this.#place = this.#ifPlace[this.#depth - 1]! as Place; // Stored from a place by `#push`.
        this.#owed = this.#ifOwed[this.#depth - 1]!;
        this.#untested = this.#ifUntested[this.#depth - 1]!;
        this.#isDead = this.#ifDead[this.#depth - 1] === 1;
        out.copy(bytes, start, end);
        return;
      case OP.end:
        this.#end(argument);
        out.copy(bytes, start, end);
        return;
      case OP.brIf:
        if (this.#isDead) out.copy(bytes, start, end);
        else this.#branchIf(bytes, start, end, argument);
        return;
      case OP.br:
      case OP.brTable:
        if (!this.#isDead) this.#arrive(argument);
        this.#isDead = true;
        out.copy(bytes, start, end);
        return;
      case OP.return:
      case OP.unreachable:
        if (!this.#isDead) this.#settle(PLACE.global, 0);
        this.#isDead = true;
        out.copy(bytes, start, end);
        return;
      case OP.call:
      case OP.callIndirect:
        this.#call(bytes, start, end, opcode === OP.call ? this.#settings.prepaidCost(argument) : -1);
        this.#untested += opcode === OP.call ? this.#settings.untestedCost(argument) : MAX_UNTESTED_BY_REFERENCE;
        return;
      case OP.memoryGrow:
      case BULK_EVENT + BULK.tableGrow:
        if (this.#isDead) out.copy(bytes, start, end);
        else this.#grow(bytes, start, end, opcode === OP.memoryGrow);
        return;
      default:
        if (!this.#isDead) this.#chargeLength(DYNAMIC_SHIFT.get(opcode)!);
        out.copy(bytes, start, end);
    }
  }

  #loop(bytes: Uint8Array, start: number, end: number, label: number): void {
    const isRepeated = (this.#scan.labelFlags[label]! & LABEL.branched) !== 0;
    if (isRepeated && !this.#isDead) {
      const labelClass = this.#scan.classOf(label);
      if (this.#classPlace[labelClass] === -1) this.#settle(PLACE.local, this.#owed);
      this.#arrive(label);
    }
    this.#push(label);
    this.#out.copy(bytes, start, end);
    if (isRepeated && !this.#isDead) this.#test();
  }

  #end(label: number): void {
    this.#depth--;
    const flags = this.#scan.labelFlags[label]!;
    if (label === 0) {
      if (!this.#isDead) this.#settle(PLACE.global, 0);
      return;
    }
    if ((flags & LABEL.loop) !== 0) return; // Branches to a loop do not come here.
    const labelClass = this.#scan.classOf(label);
    if (!this.#isDead && this.#classPlace[labelClass] !== -1) this.#arrive(label);
    if (this.#classPlace[labelClass] === -1) return;
    this.#place = this.#classPlace[labelClass]! as Place; // Not -1, so it was stored from a place.
    this.#owed = this.#classOwed[labelClass]!;
    this.#untested = this.#classUntested[labelClass]!;
    this.#isDead = false;
  }

  #branchIf(bytes: Uint8Array, start: number, end: number, label: number): void {
    const out = this.#out;
    const labelClass = this.#scan.classOf(label);
    const flags = this.#scan.labelFlags[label]!;
    const place = this.#classPlace[labelClass]!;
    const fits = place === -1 || (place === this.#place && this.#classOwed[labelClass] === this.#owed);
    if (fits || (flags & (LABEL.loop | LABEL.valued)) !== 0) {
      this.#arrive(label);
      out.copy(bytes, start, end);
      return;
    }
    // Only who takes the branch pays the difference.
    const [wasPlace, wasOwed] = [this.#place, this.#owed];
    out.byte(OP.if);
    out.byte(EMPTY_BLOCK);
    this.#arrive(label);
    out.byte(OP.br);
    out.u32(this.#depth - this.#labelDepth[label]!);
    out.byte(OP.end);
    this.#place = wasPlace;
    this.#owed = wasOwed;
  }

  #call(bytes: Uint8Array, start: number, end: number, prepaid: number): void {
    if (!this.#isDead) {
      if (prepaid >= 0) this.#owed += prepaid;
      else this.#settle(PLACE.global, 0);
    }
    this.#out.copy(bytes, start, end);
    if (!this.#isDead && prepaid < 0) this.#place = PLACE.global; // What a local held is stale.
  }

  /** Before an instruction that works through the length on top of the stack: charge that, and test. */
  #chargeLength(shift: number): void {
    this.#settle(PLACE.local, 0);
    this.#local(OP.localSet, this.#lengthLocal);
    this.#chargeScaled(OP.i64ShrU, shift);
    this.#test();
    this.#local(OP.localGet, this.#lengthLocal);
  }

  /** Growing is charged when it succeeded: programs ask for too much first, and then for less. */
  #grow(bytes: Uint8Array, start: number, end: number, isMemory: boolean): void {
    const out = this.#out;
    const resultLocal = this.#lengthLocal + 1;
    this.#settle(PLACE.local, 0);
    this.#local(OP.localTee, this.#lengthLocal);
    out.copy(bytes, start, end);
    this.#local(OP.localTee, resultLocal);
    this.#constant(OP.i32Const, -1);
    out.byte(OP.i32Eq);
    out.byte(OP.if);
    out.byte(EMPTY_BLOCK);
    if (isMemory && this.#settings.onMemoryLimit !== 'ignore') {
      this.#constant(OP.i32Const, 1);
      this.#global(OP.globalSet, this.#settings.deniedGlobal);
      if (this.#settings.onMemoryLimit === 'trap') this.#trap();
    }
    out.byte(OP.else);
    this.#chargeScaled(OP.i64Mul, isMemory ? PAGE_COST : 1);
    out.byte(OP.end);
    this.#test();
    this.#local(OP.localGet, resultLocal);
  }

  /** Takes the length, scaled, from the counter in its local. */
  #chargeScaled(opcode: number, operand: number): void {
    this.#local(OP.localGet, this.#counterLocal);
    this.#local(OP.localGet, this.#lengthLocal);
    this.#out.byte(OP.i64ExtendI32U);
    this.#constant(OP.i64Const, operand);
    this.#out.byte(opcode);
    this.#out.byte(OP.i64Sub);
    this.#local(OP.localSet, this.#counterLocal);
  }

  /** Makes this place one of a label's: expects what the label expects, or decides it. */
  #arrive(label: number): void {
    const labelClass = this.#scan.classOf(label);
    const place = this.#classPlace[labelClass]!;
    this.#classUntested[labelClass] = Math.max(this.#classUntested[labelClass]!, this.#untested);
    if (place === -1) {
      this.#classPlace[labelClass] = this.#place;
      this.#classOwed[labelClass] = this.#owed;
    } else {
      this.#settle(place as Place, this.#classOwed[labelClass]!); // Not -1, so it was stored from a place.
    }
  }

  /** Charges until only `owed` is owed, and brings the counter to `place`. */
  #settle(place: Place, owed: number): void {
    const charge = this.#owed - owed;
    const from = this.#place;
    const isThere = place === from || (from === PLACE.both && place !== PLACE.both);
    this.#place = place;
    this.#owed = owed;
    if (charge === 0 && isThere) return;
    if (from === PLACE.global) this.#global(OP.globalGet, this.#settings.fuelGlobal);
    else this.#local(OP.localGet, this.#counterLocal);
    if (charge !== 0) {
      this.#constant(OP.i64Const, charge);
      this.#out.byte(OP.i64Sub);
    }
    if (place === PLACE.both) this.#local(OP.localTee, this.#counterLocal);
    if (place === PLACE.local) this.#local(OP.localSet, this.#counterLocal);
    else this.#global(OP.globalSet, this.#settings.fuelGlobal);
  }

  /** Ends the run here when the fuel left is below zero. */
  #test(): void {
    this.#untested = 0;
    const out = this.#out;
    if (this.#place === PLACE.global) this.#global(OP.globalGet, this.#settings.fuelGlobal);
    else this.#local(OP.localGet, this.#counterLocal);
    this.#constant(OP.i64Const, this.#owed);
    out.byte(OP.i64LtS);
    out.byte(OP.if);
    out.byte(EMPTY_BLOCK);
    this.#trap();
    out.byte(OP.end);
  }

  /** Writes the exact counter back and traps; what follows is as if it had not. */
  #trap(): void {
    const [place, owed] = [this.#place, this.#owed];
    this.#settle(PLACE.global, 0);
    this.#out.byte(OP.unreachable);
    this.#place = place;
    this.#owed = owed;
  }

  #local(opcode: number, index: number): void {
    this.#out.byte(opcode);
    this.#out.u32(index);
  }

  #global(opcode: number, index: number): void {
    this.#out.byte(opcode);
    this.#out.u32(index);
  }

  #constant(opcode: number, value: number): void {
    this.#out.byte(opcode);
    this.#out.signed(value);
  }

  #push(label: number): void {
    if (this.#depth === this.#ifPlace.length) {
      const size = this.#depth * 2;
      const [places, owed, dead] = [new Int8Array(size), new Int32Array(size), new Uint8Array(size)];
      const untested = new Int32Array(size);
      places.set(this.#ifPlace);
      owed.set(this.#ifOwed);
      dead.set(this.#ifDead);
      untested.set(this.#ifUntested);
      [this.#ifPlace, this.#ifOwed, this.#ifDead, this.#ifUntested] = [places, owed, dead, untested];
    }
    this.#labelDepth[label] = this.#depth;
    this.#ifPlace[this.#depth] = this.#place;
    this.#ifOwed[this.#depth] = this.#owed;
    this.#ifUntested[this.#depth] = this.#untested;
    this.#ifDead[this.#depth] = this.#isDead ? 1 : 0;
    this.#depth++;
  }
}
