/**
 * Classic BPF as the kernel runs it for seccomp(2), as far as our filters and libseccomp's use it:
 * the checks of `bpf_check_classic` and `seccomp_check_filter`, then the machine. An instruction it
 * does not know is an error and never skipped.
 */

/** struct seccomp_data */
export interface CallData {
  readonly number: number;
  readonly architecture: number;
  readonly arguments: readonly bigint[];
}

export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const MAX_INSTRUCTIONS = 4_096;
const DATA_BYTES = 64;

const CONDITIONS: Readonly<Record<number, (accumulator: number, k: number) => boolean>> = {
  0x15: (accumulator, k) => accumulator === k,
  0x25: (accumulator, k) => accumulator > k,
  0x35: (accumulator, k) => accumulator >= k,
  0x45: (accumulator, k) => (accumulator & k) !== 0,
};

/** @throws `Error` when the kernel would refuse the program, or it uses what is not interpreted here */
export function decodeFilter(bytes: Uint8Array): Instruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 0 || bytes.length % 8 !== 0) throw new Error('not whole instructions');
  const program = Array.from({ length: bytes.length / 8 }, (_, index) => ({
    code: view.getUint16(index * 8, true),
    jt: view.getUint8(index * 8 + 2),
    jf: view.getUint8(index * 8 + 3),
    k: view.getUint32(index * 8 + 4, true),
  }));
  if (program.length > MAX_INSTRUCTIONS) throw new Error('too many instructions');
  for (const [index, instruction] of program.entries()) check(instruction, program.length - 1 - index);
  if (program.at(-1)?.code !== 0x06) throw new Error('does not end by returning');
  return program;
}

/** `after`: how many instructions follow. */
function check({ code, jt, jf, k }: Instruction, after: number): void {
  if (code === 0x20 && (k % 4 !== 0 || k >= DATA_BYTES)) throw new Error('loads outside the data');
  if (code === 0x05 && k >= after) throw new Error('jumps out of the program');
  if (code in CONDITIONS && Math.max(jt, jf) >= after) throw new Error('jumps out of the program');
  if (![0x20, 0x54, 0x05, 0x06].includes(code) && !(code in CONDITIONS)) throw new Error(`unknown code ${code}`);
}

/** The data as 32-bit words, in the order of the structure. */
export function wordsOf({ number, architecture, arguments: values }: CallData): Uint32Array {
  const words = new Uint32Array(DATA_BYTES / 4);
  words[0] = number;
  words[1] = architecture;
  for (const [index, value] of values.entries()) {
    words[4 + 2 * index] = Number(value & 0xffff_ffffn);
    words[5 + 2 * index] = Number((value >> 32n) & 0xffff_ffffn);
  }
  return words;
}

/** What the filter returns: an action and its data. */
export function interpretFilter(program: readonly Instruction[], words: Uint32Array): number {
  let accumulator = 0;
  for (let index = 0; ; index++) {
    const instruction = program[index];
    if (instruction === undefined) throw new Error('ran out of the program');
    const { code, jt, jf, k } = instruction;
    if (code === 0x06) return k;
    if (code === 0x20) accumulator = words[k / 4] ?? 0;
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) index += k;
    else index += CONDITIONS[code]?.(accumulator, k) ? jt : jf;
  }
}
