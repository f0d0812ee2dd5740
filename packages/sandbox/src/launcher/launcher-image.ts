/**
 * The launcher: a static ELF file of some hundred bytes that runs inside a sandbox before, and
 * beside, the command. It has no logic of its own. It reads a table of system calls from descriptor
 * 3, of which one may be to read another table, makes them in order and compares each result with the expected one; at the first that differs
 * it writes which entry that was and what came of it, and ends. What it does in a sandbox is in
 * `plan-job.ts`, as data. The file is ELF-64 as in the System V gABI, chapters 4 and 5.
 */
import type { Architecture } from '../seccomp/syscall-table.ts';
import { ARM64_LAUNCHER } from './arm64.ts';
import { assemble, type Assembled } from './assemble.ts';
import { CODE_ADDRESS, FAILURE_ADDRESS, FAILURE_BYTES, SLOT_TABLE_ADDRESS } from './memory.ts';
import { X64_LAUNCHER } from './x64.ts';

const FILE_HEADER_BYTES = 64;
const SEGMENT_HEADER_BYTES = 56;
const SEGMENTS = 3;
const CODE_OFFSET = FILE_HEADER_BYTES + SEGMENTS * SEGMENT_HEADER_BYTES;
/** The largest page size of an ARM kernel. */
const ALIGNMENT = 0x1_0000;

const [PT_LOAD, PT_GNU_STACK] = [1, 0x6474_e551];
const [EXECUTE, WRITE, READ] = [1, 2, 4];
/** e_machine: EM_X86_64, EM_AARCH64. */
const MACHINE: Record<Architecture, number> = { x64: 62, arm64: 183 };
const PROGRAM = { x64: X64_LAUNCHER, arm64: ARM64_LAUNCHER };

/** The machine code with the text a disassembler prints for it. */
export function assembleLauncher(architecture: Architecture): Assembled {
  return assemble(PROGRAM[architecture], CODE_ADDRESS + CODE_OFFSET);
}

/** The bytes of the executable file. The same on every host. */
export function launcherImage(architecture: Architecture): Uint8Array {
  const { code } = assembleLauncher(architecture);
  const sizeBytes = CODE_OFFSET + code.length;
  return Buffer.concat([
    fileHeader(architecture),
    // The file itself, headers and code: read and executed, never written.
    segment(PT_LOAD, READ | EXECUTE, CODE_ADDRESS, sizeBytes, sizeBytes),
    // The tables: zeros until they are received, never executed.
    segment(PT_LOAD, READ | WRITE, SLOT_TABLE_ADDRESS, 0, FAILURE_ADDRESS + FAILURE_BYTES - SLOT_TABLE_ADDRESS),
    // Without it the kernel would make the stack executable.
    segment(PT_GNU_STACK, READ | WRITE, 0, 0, 0),
    code,
  ]);
}

function fileHeader(architecture: Architecture): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // magic, 64-bit, little-endian, version 1
  header.writeUInt16LE(2, 16); // ET_EXEC: at its own addresses
  header.writeUInt16LE(MACHINE[architecture], 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(CODE_ADDRESS + CODE_OFFSET), 24); // entry point
  header.writeBigUInt64LE(BigInt(FILE_HEADER_BYTES), 32); // program headers follow
  header.writeUInt16LE(FILE_HEADER_BYTES, 52);
  header.writeUInt16LE(SEGMENT_HEADER_BYTES, 54);
  header.writeUInt16LE(SEGMENTS, 56);
  header.writeUInt16LE(64, 58); // size of a section header, of which there are none
  return header;
}

function segment(type: number, rights: number, address: number, fileBytes: number, memoryBytes: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(rights, 4);
  // Every segment starts at the beginning of the file; the table takes none of it.
  const words = [0, address, address, fileBytes, memoryBytes, type === PT_LOAD ? ALIGNMENT : 16];
  for (const [at, value] of words.entries()) header.writeBigUInt64LE(BigInt(value), 8 + 8 * at);
  return header;
}
