/**
 * The WebAssembly JavaScript API as far as it is used here (WebAssembly JavaScript Interface, W3C).
 * TypeScript declares it only together with the DOM, which this code must not see.
 */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

export interface WasmGlobal<T extends number | bigint> {
  value: T;
}

/** Opaque; made by `compile`. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string;
}

export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

type ErrorClass = abstract new (...args: never[]) => Error;

interface Api {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: WasmImports) => WasmInstance;
  readonly Memory: abstract new (...args: never[]) => WasmMemory;
  readonly Global: abstract new (...args: never[]) => WasmGlobal<number | bigint>;
  readonly RuntimeError: ErrorClass;
  readonly LinkError: ErrorClass;
}

/** Part of every JavaScript engine that runs Node. */
export const wasmApi = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;
