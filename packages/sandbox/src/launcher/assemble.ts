/**
 * The part of an assembler that does not know a machine: instructions in order, labels, and branches
 * whose distance is known only when everything has its place. The text beside each instruction is
 * what a disassembler prints for it, which a test compares.
 */

/** One machine instruction. */
export interface Instruction {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** An instruction that refers to a label: `encode` gets its own address and that of the label. */
export interface Branch {
  readonly sizeBytes: number;
  readonly label: string;
  encode(from: number, to: number): Instruction;
}

/** A label (a string ending in a colon), an instruction or a branch, each with the reason it is there. */
export type Line = readonly [code: string | Instruction | Branch, why: string];

export interface Assembled {
  readonly code: Uint8Array;
  readonly listing: readonly { readonly address: number; readonly text: string; readonly why: string }[];
}

/** @throws `TypeError` for a label that is missing or defined twice */
export function assemble(lines: readonly Line[], origin: number): Assembled {
  const labels = placeLabels(lines, origin);
  const bytes: number[] = [];
  const listing: { address: number; text: string; why: string }[] = [];
  for (const [code, why] of lines) {
    if (typeof code === 'string') continue;
    const address = origin + bytes.length;
    const instruction = 'encode' in code ? code.encode(address, addressOf(labels, code.label)) : code;
    bytes.push(...instruction.bytes);
    listing.push({ address, text: instruction.text, why });
  }
  return { code: Uint8Array.from(bytes), listing };
}

function placeLabels(lines: readonly Line[], origin: number): ReadonlyMap<string, number> {
  const labels = new Map<string, number>();
  let address = origin;
  for (const [code] of lines) {
    if (typeof code !== 'string') address += 'encode' in code ? code.sizeBytes : code.bytes.length;
    else if (labels.has(code)) throw new TypeError(`the label ${code} is defined twice`);
    else labels.set(code, address);
  }
  return labels;
}

function addressOf(labels: ReadonlyMap<string, number>, label: string): number {
  const address = labels.get(`${label}:`);
  if (address === undefined) throw new TypeError(`there is no label ${label}`);
  return address;
}
