/**
 * WASI preview 1 as an import object that is made once and lent to one run after the other. A guest
 * declares the types of its imports itself; JavaScript functions would be called with whatever it
 * declared. So they pass through a small module that is nothing but typed names (imported, then
 * exported): the engine compares the guest's declaration with that and refuses to link another.
 */
import { wasmApi, type WasmImports } from '../engine/web-assembly.ts';
import type { OfferedImports } from '../admit.ts';
import { DESCRIPTOR_CALLS } from './calls/descriptor-calls.ts';
import { PATH_CALLS } from './calls/path-calls.ts';
import { POLL_CALLS } from './calls/poll-calls.ts';
import { PROCESS_CALLS } from './calls/process-calls.ts';
import { SOCKET_CALLS } from './calls/socket-calls.ts';
import { ERRNO, WasiRefusal } from './errno.ts';
import type { GuestContext } from './guest-context.ts';
import { HOST_COST } from './host-cost.ts';
import { hasResult, WASI_MODULE, WASI_SIGNATURES, type WasiName } from './signatures.ts';

type Call = (guest: GuestContext, ...values: never[]) => void;

const CALLS: Record<WasiName, Call> = {
  ...PROCESS_CALLS,
  ...DESCRIPTOR_CALLS,
  ...PATH_CALLS,
  ...POLL_CALLS,
  ...SOCKET_CALLS,
};

const NAMES = Object.keys(CALLS) as WasiName[];

/** For the gate: everything a module may import. */
export const OFFERED_IMPORTS: OfferedImports = new Map([[WASI_MODULE, new Set<string>(NAMES)]]);

/** LEB128 of a number below 2^14: all there are in the module of names. */
const number = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);
const vector = (items: readonly number[][]): number[] => [...number(items.length), ...items.flat()];
const text = (name: string): number[] => [...number(name.length), ...Buffer.from(name)];
const section = (id: number, content: number[]): number[] => [id, ...number(content.length), ...content];

/** WebAssembly core specification §5.5: types, imports, exports. */
function typedNames(): Uint8Array {
  const valueTypes = { i: 0x7f, I: 0x7e } as const;
  const types = NAMES.map((name) => {
    const parameters = Array.from(WASI_SIGNATURES[name], (letter) => [valueTypes[letter as 'i' | 'I']]);
    return [0x60, ...vector(parameters), ...vector(hasResult(name) ? [[valueTypes.i]] : [])];
  });
  const imports = NAMES.map((name, index) => [...text(WASI_MODULE), ...text(name), 0x00, ...number(index)]);
  const exports = NAMES.map((name, index) => [...text(name), 0x00, ...number(index)]);
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  return Uint8Array.from([
    ...header,
    ...section(1, vector(types)),
    ...section(2, vector(imports)),
    ...section(7, vector(exports)),
  ]);
}

export class WasiImports {
  readonly imports: WasmImports;
  #guest: GuestContext | null = null;

  constructor() {
    const functions = Object.fromEntries(NAMES.map((name) => [name, this.#entry(CALLS[name])]));
    const names = new wasmApi.Module(typedNames());
    const instance = new wasmApi.Instance(names, { [WASI_MODULE]: functions });
    this.imports = { [WASI_MODULE]: instance.exports };
  }

  /** Lends the functions to one run; they belong to nobody afterwards. Runs do not nest. */
  lend(guest: GuestContext, run: () => void): void {
    if (this.#guest !== null) throw new TypeError('a run is already under way');
    this.#guest = guest;
    try {
      run();
    } finally {
      this.#guest = null;
    }
  }

  #entry(call: Call): (...values: never[]) => number {
    return (...values) => {
      const guest = this.#guest;
      if (guest === null) throw new TypeError('no run is under way');
      guest.charge(HOST_COST.call);
      guest.memory.refresh();
      try {
        call(guest, ...values);
        return ERRNO.SUCCESS;
      } catch (error) {
        if (error instanceof WasiRefusal) return error.errno;
        throw error;
      }
    };
  }
}
