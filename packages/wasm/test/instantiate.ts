/** Instances for tests, without any import, and the exports that random modules have. */
import { wasmApi } from '../src/engine/web-assembly.ts';

interface Global {
  value: bigint | number;
}

export type RandomExports = Record<string, Global> & {
  readonly run: () => number;
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly g0: Global;
  readonly g1: Global;
};

/** @returns the exports; `undefined` when a segment is out of bounds and `mayFail` */
export function instantiate(bytes: Uint8Array): Readonly<Record<string, unknown>>;
export function instantiate(bytes: Uint8Array, mayFail: true): Readonly<Record<string, unknown>> | undefined;
export function instantiate(bytes: Uint8Array, mayFail = false): Readonly<Record<string, unknown>> | undefined {
  const module = new wasmApi.Module(bytes);
  try {
    return new wasmApi.Instance(module, {}).exports;
  } catch (error) {
    if (!mayFail || !(error instanceof wasmApi.RuntimeError)) throw error;
    return undefined;
  }
}
