/** What every numeric, load and store instruction takes and leaves, read off its name: for random code. */
import { BULK_OPCODES, OP, OPCODES, VALUE_TYPE } from '../src/binary/opcodes.ts';

export type NumericType = 'i32' | 'i64' | 'f32' | 'f64';
export const NUMERIC_TYPES: readonly NumericType[] = ['i32', 'i64', 'f32', 'f64'];

export interface NumericInstruction {
  readonly code: readonly number[];
  readonly parameters: readonly NumericType[];
  /** `null` of stores. */
  readonly result: NumericType | null;
  /** Its first operand is an address, and alignment and offset follow. */
  readonly isAccess: boolean;
  readonly mayTrap: boolean;
  /** Would show the bits of a NaN, which compilers may choose. */
  readonly showsBits: boolean;
}

const NAME = /^([if](?:32|64))\.(\w+)$/;
const COMPARISON = /^(?:eq|ne|lt|gt|le|ge)(?:_[su])?$/;
const CONVERSION = /^(?:wrap|trunc|trunc_sat|extend|convert|demote|promote|reinterpret)_([if](?:32|64))/;
const UNARY = /^(?:clz|ctz|popcnt|abs|neg|ceil|floor|trunc|nearest|sqrt|extend\d+_s)$/;

function parse(name: string, code: readonly number[]): NumericInstruction | undefined {
  const [, type, operation] = NAME.exec(name) ?? [];
  if (type === undefined || operation === undefined || operation === 'const') return undefined;
  const own = type as NumericType; // what the pattern takes
  const from = CONVERSION.exec(operation)?.[1] as NumericType | undefined; // likewise
  const isLoad = operation.startsWith('load');
  const isStore = operation.startsWith('store');
  let parameters: readonly NumericType[] = [own, own];
  if (isLoad) parameters = ['i32'];
  else if (isStore) parameters = ['i32', own];
  else if (from !== undefined) parameters = [from];
  else if (operation === 'eqz' || UNARY.test(operation)) parameters = [own];
  const leavesFlag = operation === 'eqz' || COMPARISON.test(operation);
  return {
    code,
    parameters,
    result: isStore ? null : leavesFlag ? 'i32' : own,
    isAccess: isLoad || isStore,
    mayTrap: /^(?:div|rem)_|^trunc_f/.test(operation),
    showsBits: isStore || operation.startsWith('reinterpret') || operation === 'copysign',
  };
}

export const NUMERIC_INSTRUCTIONS: readonly NumericInstruction[] = [
  ...[...OPCODES.names].map(([opcode, name]) => parse(name, [opcode])),
  ...[...BULK_OPCODES.names].map(([second, name]) => parse(name, [OP.prefix, second])),
].filter((instruction) => instruction !== undefined);

export const numericType = (type: NumericType): number => VALUE_TYPE[type];
