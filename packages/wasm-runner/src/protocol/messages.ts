/**
 * What a runner process is sent and sends. To the process goes what V8 serialises: it comes from us.
 * From it comes JSON, parsed strictly: whatever got out of WebAssembly writes these bytes.
 */
import { ERROR_CODES, type ErrorCode } from '@holdfast/core';
import type {
  GuestClock,
  GuestRandomness,
  ModuleLimits,
  OutputStreamName,
  RunLimits,
  SnapshotEntry,
} from '@holdfast/wasm';
import { z } from 'zod';
import type { ModuleDescription, WasmTaskResult } from '../runner.ts';
import { brokenProtocol, decodeOutput, decodeParts } from './frames.ts';

/** One preopened directory: its whole content, or a number by which the process asks for pieces of it. */
export type SentDirectory = { readonly guestPath: string } & (
  | {
      readonly kind: 'snapshot';
      readonly writable: boolean;
      readonly quotaBytes: number;
      readonly quotaFiles: number;
      readonly entries: readonly SnapshotEntry[];
    }
  | { readonly kind: 'broker' }
);

export interface SentTask {
  readonly type: 'run';
  /** Of the module's bytes; the process asks for them when it does not have them yet. */
  readonly moduleSha256: string;
  readonly entry: string | undefined;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly directories: readonly SentDirectory[];
  readonly clock: GuestClock;
  readonly randomness: GuestRandomness;
  readonly moduleLimits: ModuleLimits;
  readonly runLimits: RunLimits;
  readonly hashMemory: boolean;
}

/** A module to decode, check and describe; nothing of it runs. */
export interface SentInspection {
  readonly type: 'inspect';
  readonly module: Uint8Array;
  readonly moduleLimits: ModuleLimits;
}

export type SentRequest = SentTask | SentInspection;

const Path = z.array(z.string().max(4_096)).max(2_048);
const Index = z.int().min(0);
const CallSchema = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('module') }),
  z.strictObject({ op: z.enum(['stat', 'list', 'open']), directory: Index, path: Path }),
  z.strictObject({ op: z.enum(['statFile', 'close']), directory: Index, handle: Index }),
  z.strictObject({ op: z.literal('read'), directory: Index, handle: Index, offset: Index, length: Index }),
]);
/** A question the process waits for; the answer is V8-serialised. */
export type RunnerCall = z.infer<typeof CallSchema>;

const WASM_CODES = (Object.keys(ERROR_CODES) as ErrorCode[]).filter((code) => code.startsWith('ERR_WASM_'));
const Code = z.enum(WASM_CODES);
/** Shown to people and logged: short, and nothing that moves a cursor. */
const Text = z
  .string()
  .max(300)
  .regex(/^[\x20-\x7e\u00a0-\uffff]*$/);
const Count = z.number().min(0).finite();
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const Fuel = z
  .string()
  .regex(/^-?\d{1,20}$/)
  .transform(BigInt);

const ResultSchema = z.strictObject({
  exitCode: z.int().min(0).max(0xffff_ffff).nullable(),
  error: z.strictObject({ code: Code, detail: Text }).nullable(),
  truncated: z.boolean(),
  fuelLeft: Fuel,
  memorySha256: Sha256.nullable(),
  usage: z.strictObject({
    fuel: Fuel,
    peakMemoryBytes: Count,
    wallMs: Count,
    cpuMs: Count,
    io: z.strictObject({ reads: Count, writes: Count, readBytes: Count, writtenBytes: Count, opens: Count }),
  }),
  changes: z.array(
    z.strictObject({
      directory: Index,
      path: Path,
      kind: z.enum(['file', 'directory']),
      change: z.enum(['created', 'changed', 'removed']),
      hasBytes: z.boolean(),
    }),
  ),
  residentBytes: Count,
});

/** The longest name that is shown; the gate bounds how many there are only by the module's size. */
const MAX_NAMES = 100_000;
const Pages = z.int().min(0).max(65_536);
const DescriptionSchema = z.strictObject({
  sha256: Sha256,
  meteredBytes: Index,
  hasStartSection: z.boolean(),
  memory: z.strictObject({ initialPages: Pages, maximumPages: Pages }).nullable(),
  imports: z.array(z.strictObject({ module: Text, name: Text })).max(MAX_NAMES),
  exports: z
    .array(z.strictObject({ name: Text, kind: z.enum(['function', 'table', 'memory', 'global']) }))
    .max(MAX_NAMES),
}) satisfies z.ZodType<ModuleDescription>;

const MessageSchema = z.strictObject({
  blobs: z.array(Index),
  message: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('ready') }),
    z.strictObject({ type: z.literal('call'), call: CallSchema }),
    z.strictObject({
      type: z.literal('refused'),
      code: Code,
      text: Text,
      fields: z.record(z.string().regex(/^\w{1,40}$/), z.union([Text, z.number(), z.boolean(), z.null()])),
    }),
    z.strictObject({ type: z.literal('result'), result: ResultSchema }),
    z.strictObject({ type: z.literal('description'), description: DescriptionSchema }),
  ]),
});
/** What goes out of the process, before it is JSON. */
export type RunnerMessage = z.input<typeof MessageSchema>['message'];

/** Without the output, which came before it. */
export type ParsedResult = Omit<WasmTaskResult, 'changes' | 'layers' | OutputStreamName> & {
  readonly changes: readonly (Omit<z.infer<typeof ResultSchema>['changes'][number], 'hasBytes'> & {
    readonly bytes: Uint8Array | null;
  })[];
  /** Of the process, as it says: only ever a reason to end it. */
  readonly residentBytes: number;
};

export type ParsedMessage =
  | Exclude<z.output<typeof MessageSchema>['message'], { type: 'result' }>
  | { readonly type: 'result'; readonly result: ParsedResult }
  | { readonly type: 'output'; readonly stream: OutputStreamName; readonly bytes: Uint8Array };

/** @throws `ERR_WASM_RUNNER` for anything but a message, whole and with exactly the bytes it announces */
export function parseMessage(payload: Buffer): ParsedMessage {
  const output = decodeOutput(payload);
  if (output !== undefined) return { type: 'output', ...output };
  const { header, blobs } = decodeParts(payload);
  const parsed = MessageSchema.safeParse(header);
  if (!parsed.success) throw brokenProtocol('message');
  const { message, blobs: lengths } = parsed.data;
  const pieces: Uint8Array[] = [];
  let offset = 0;
  for (const length of lengths) {
    pieces.push(blobs.subarray(offset, offset + length));
    offset += length;
  }
  if (offset !== blobs.length) throw brokenProtocol('bytes');
  if (message.type !== 'result') {
    if (pieces.length > 0) throw brokenProtocol('bytes');
    return message;
  }
  const take = (): Uint8Array => {
    const piece = pieces.shift();
    if (piece === undefined) throw brokenProtocol('bytes');
    return piece;
  };
  const { changes, ...rest } = message.result;
  const result = {
    ...rest,
    changes: changes.map(({ directory, path, kind, change, hasBytes }) => {
      return { directory, path, kind, change, bytes: hasBytes ? take() : null };
    }),
  };
  if (pieces.length > 0) throw brokenProtocol('bytes');
  return { type: 'result', result };
}
