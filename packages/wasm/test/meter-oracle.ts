/**
 * The other way to count: one subtraction from a global before every single instruction, no blocks,
 * no locals, nothing saved. Slow, obvious, and written apart from the rewriter, which it judges: of a
 * program that ends, both must leave the same fuel. It never tests the counter.
 */
import { BULK, BULK_OPCODES, OP, OPCODES, VALUE_TYPE } from '../src/binary/opcodes.ts';
import { decodeModule, SECTION, SECTION_ORDER } from '../src/binary/module.ts';
import { DEFAULT_MODULE_LIMITS } from '../src/limits.ts';
import { ByteReader } from '../src/binary/reader.ts';
import { ByteWriter } from '../src/binary/writer.ts';
import { readBlockType, skipImmediate } from '../src/meter/scan.ts';

export const ORACLE_FUEL = 'oracle-fuel';

/** Units per byte or element, as a shift to the right: `n / 8` bytes, or `n` elements. */
const LENGTH_SHIFTS: Readonly<Record<number, number>> = {
  [BULK.memoryInit]: 3,
  [BULK.memoryCopy]: 3,
  [BULK.memoryFill]: 3,
  [BULK.tableInit]: 0,
  [BULK.tableCopy]: 0,
  [BULK.tableFill]: 0,
};

/** A valid module without a start section, counting every instruction. */
export function meterByInstruction(bytes: Uint8Array): Uint8Array {
  const module = decodeModule(bytes, DEFAULT_MODULE_LIMITS);
  const fuel = module.globals;
  const out = new ByteWriter(bytes.length * 8);
  out.copy(bytes, 0, 8);
  for (const id of SECTION_ORDER) {
    const range = module.sections.get(id);
    if (range === undefined && id !== SECTION.global && id !== SECTION.export) continue;
    const section = new ByteReader(bytes, range?.start ?? 0, range?.end ?? 0);
    out.byte(id);
    const mark = out.open();
    if (id === SECTION.global || id === SECTION.export) {
      out.u32((range === undefined ? 0 : section.u32()) + 1);
      out.copy(bytes, section.pos, section.end);
      if (id === SECTION.global) {
        for (const byte of [VALUE_TYPE.i64, 1, OP.i64Const, 0, OP.end]) out.byte(byte);
      } else {
        out.name(ORACLE_FUEL);
        out.byte(3);
        out.u32(fuel);
      }
    } else if (id === SECTION.code) {
      out.u32(module.bodies.length);
      for (const [f, body] of module.bodies.entries()) {
        const inner = out.open();
        const reader = new ByteReader(bytes, body.start, body.end);
        let locals = module.types[module.functions[f]!]!.parameters;
        const groups = reader.u32();
        out.u32(groups + 1);
        for (let left = groups, start = reader.pos; left > 0; left--, start = reader.pos) {
          locals += reader.u32();
          reader.byte();
          out.copy(bytes, start, reader.pos);
        }
        out.byte(2);
        out.byte(VALUE_TYPE.i32);
        while (reader.pos < reader.end) countInstruction(reader, out, fuel, locals);
        out.close(inner);
      }
    } else {
      out.copy(bytes, section.pos, section.end);
    }
    out.close(mark);
  }
  return out.take();

  function countInstruction(reader: ByteReader, to: ByteWriter, global: number, spare: number): void {
    const start = reader.pos;
    const opcode = reader.byte();
    const second = opcode === OP.prefix ? reader.u32() : -1;
    if (opcode === OP.block || opcode === OP.loop || opcode === OP.if) readBlockType(reader, module.types);
    else if (opcode === OP.brTable) for (let left = reader.u32() + 1; left > 0; left--) reader.u32();
    else if (second >= 0) skipImmediate(reader, BULK_OPCODES.immediates[second]!, opcode, start, second);
    else skipImmediate(reader, OPCODES.immediates[opcode]!, opcode, start);

    if (OPCODES.costs[opcode] === 1) charge(() => emit(to, OP.i64Const, 1));
    const shift = LENGTH_SHIFTS[second];
    const isGrow = opcode === OP.memoryGrow || second === BULK.tableGrow;
    if (shift !== undefined) {
      emit(to, OP.localTee, spare);
      charge(() => scaled(spare, shift, OP.i64ShrU));
    } else if (isGrow) emit(to, OP.localTee, spare);
    to.copy(bytes, start, reader.pos);
    if (!isGrow) return;
    emit(to, OP.localTee, spare + 1);
    emit(to, OP.i32Const, -1);
    to.byte(0x47); // i32.ne
    to.byte(OP.if);
    to.byte(0x40);
    charge(() => scaled(spare, opcode === OP.memoryGrow ? 8_192 : 1, OP.i64Mul));
    to.byte(OP.end);
    emit(to, OP.localGet, spare + 1);

    function charge(amount: () => void): void {
      emit(to, OP.globalGet, global);
      amount();
      to.byte(OP.i64Sub);
      emit(to, OP.globalSet, global);
    }
    function scaled(local: number, by: number, operation: number): void {
      emit(to, OP.localGet, local);
      to.byte(OP.i64ExtendI32U);
      emit(to, OP.i64Const, by);
      to.byte(operation);
    }
  }
}

function emit(out: ByteWriter, opcode: number, operand: number): void {
  out.byte(opcode);
  if (opcode === OP.i32Const || opcode === OP.i64Const) out.signed(operand);
  else out.u32(operand);
}
