/** The names of the instructions in a module's code, to see what generated code covers. */
import { decodeModule } from '../src/binary/module.ts';
import { BULK_OPCODES, OP, OPCODES } from '../src/binary/opcodes.ts';
import { ByteReader } from '../src/binary/reader.ts';
import { DEFAULT_MODULE_LIMITS } from '../src/limits.ts';
import { readBlockType, skipImmediate } from '../src/meter/scan.ts';

export function* instructionsOf(bytes: Uint8Array): Generator<string> {
  const module = decodeModule(bytes, DEFAULT_MODULE_LIMITS);
  for (const { start: bodyStart, end } of module.bodies) {
    const reader = new ByteReader(bytes, bodyStart, end);
    for (let groups = reader.u32(); groups > 0; groups--) {
      reader.u32();
      reader.byte();
    }
    while (reader.pos < end) {
      const start = reader.pos;
      const opcode = reader.byte();
      const second = opcode === OP.prefix ? reader.u32() : undefined;
      const name = second === undefined ? OPCODES.names.get(opcode) : BULK_OPCODES.names.get(second);
      if (name !== undefined) yield name;
      if (opcode === OP.block || opcode === OP.loop || opcode === OP.if) readBlockType(reader, module.types);
      else if (opcode === OP.brTable) for (let left = reader.u32() + 1; left > 0; left--) reader.u32();
      else {
        const immediate = second === undefined ? OPCODES.immediates[opcode] : BULK_OPCODES.immediates[second];
        skipImmediate(reader, immediate!, opcode, start, second); // generated code has listed opcodes only
      }
    }
  }
}
