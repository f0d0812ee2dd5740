/** The state of one run that WASI calls work on. Made for each run, dropped with it. */
import type { WasmGlobal, WasmMemory } from '../engine/web-assembly.ts';
import type { OutputListener } from '../engine/run.ts';
import type { RunLimits } from '../limits.ts';
import type { Capabilities } from './capabilities.ts';
import { DescriptorTable } from './descriptors.ts';
import { GuestMemory } from './guest-memory.ts';
import { type FillRandom, openGuestRandom } from './guest-random.ts';
import { GuestTime, type HostTime } from './guest-time.ts';
import { HOST_COST } from './host-cost.ts';
import { OutputBuffer } from './output-buffer.ts';
import { FuelExhausted } from './run-ended.ts';

/** Counts for the bill: what guests moved through descriptors. */
export interface IoCounters {
  reads: number;
  writes: number;
  readBytes: number;
  writtenBytes: number;
  opens: number;
}

/** ARG_MAX of Linux is 2 MiB; more than this is a mistake of the host's caller. */
const MAX_STRINGS_BYTES = 1_048_576;

/** NUL-terminated, as `args_get` and `environ_get` lay them out. */
function encodeStrings(strings: readonly string[]): readonly Uint8Array[] {
  let total = 0;
  const encoded = strings.map((text) => {
    if (text.includes('\0')) throw new TypeError('arguments and environment cannot contain NUL');
    const bytes = Buffer.from(`${text}\0`);
    total += bytes.length;
    return bytes;
  });
  if (total > MAX_STRINGS_BYTES) throw new TypeError('arguments and environment are too large');
  return encoded;
}

export class GuestContext {
  readonly memory: GuestMemory;
  readonly descriptors: DescriptorTable;
  readonly time: GuestTime;
  readonly fillRandom: FillRandom;
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  readonly stdout: OutputBuffer;
  readonly stderr: OutputBuffer;
  readonly io: IoCounters = { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0, opens: 0 };
  readonly #fuel: WasmGlobal<bigint>;

  /** @throws `TypeError` for capabilities that cannot be given, such as an argument with NUL */
  constructor(
    instance: { readonly memory: WasmMemory | null; readonly fuel: WasmGlobal<bigint> },
    capabilities: Capabilities,
    limits: RunLimits,
    host: HostTime,
    onOutput: OutputListener = () => undefined,
  ) {
    this.memory = new GuestMemory(instance.memory);
    this.#fuel = instance.fuel;
    this.stdout = new OutputBuffer(limits.outputBytes, limits.onOutputLimit, (bytes) => onOutput('stdout', bytes));
    this.stderr = new OutputBuffer(limits.outputBytes, limits.onOutputLimit, (bytes) => onOutput('stderr', bytes));
    this.descriptors = new DescriptorTable(capabilities, this.stdout, this.stderr, limits.openFiles);
    this.time = new GuestTime(capabilities.clock, () => limits.fuel - this.#fuel.value, host);
    this.fillRandom = openGuestRandom(capabilities.randomness);
    this.args = encodeStrings(capabilities.args);
    this.env = encodeStrings(Object.entries(capabilities.env).map(([name, value]) => `${name}=${value}`));
  }

  /** @throws `FuelExhausted` */
  charge(units: number): void {
    const left = this.#fuel.value - BigInt(units);
    this.#fuel.value = left;
    if (left < 0n) throw new FuelExhausted();
  }

  chargeBytes(bytes: number): void {
    if (bytes > 0) this.charge(Math.ceil(bytes / HOST_COST.bytesPerUnit));
  }
}
