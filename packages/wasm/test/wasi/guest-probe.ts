/**
 * A guest played by the test: a real WebAssembly memory, and WASI called through the same typed imports
 * that modules are linked to. Shows every errno and every byte.
 */
import { wasmApi } from '../../src/engine/web-assembly.ts';
import { DEFAULT_RUN_LIMITS, type RunLimits } from '../../src/limits.ts';
import type { Capabilities } from '../../src/wasi/capabilities.ts';
import type { SnapshotEntry } from '../../src/wasi/file-tree.ts';
import { GuestContext } from '../../src/wasi/guest-context.ts';
import { WasiImports } from '../../src/wasi/imports.ts';
import { WASI_MODULE, type WasiName } from '../../src/wasi/signatures.ts';
import { snapshotFileSystem, type SnapshotFileSystem } from '../../src/wasi/snapshot-file-system.ts';

const PAGE = 65_536;

/** Where a probe keeps things; each area is far larger than what is put there. */
export const AREA = { result: 0, path: 1_024, otherPath: 16_384, iovecs: 32_768, data: 40_960, end: PAGE } as const;

export const NO_CAPABILITIES: Capabilities = {
  args: [],
  env: {},
  stdin: new Uint8Array(0),
  directories: [],
  clock: { kind: 'fuel', startNs: 1_000_000_000n, fuelPerNs: 1 },
  randomness: { kind: 'seeded', seed: Buffer.from('probe') },
};

export const TREE: readonly SnapshotEntry[] = [
  { path: ['hello.txt'], kind: 'file', bytes: Buffer.from('hello, guest'), modifiedNs: 5_000n },
  { path: ['sub'], kind: 'directory' },
  { path: ['sub', 'inner.txt'], kind: 'file', bytes: Buffer.from('inner') },
];

/** A fresh tree for `/data`. */
export const dataFiles = (writable: boolean): SnapshotFileSystem =>
  snapshotFileSystem(TREE, { writable, quotaBytes: 10_000, quotaFiles: 20 });

export interface Probe {
  readonly guest: GuestContext;
  readonly memory: DataView;
  /** Fuel left. */
  readonly fuel: () => bigint;
  call(name: WasiName, ...values: readonly (number | bigint)[]): number;
  /** Puts bytes somewhere; their address and length, as most calls want them. */
  put(at: number, bytes: string | Uint8Array): [number, number];
  text(at: number, length: number): string;
  /** An iovec list; its address and count. */
  iovecs(...buffers: readonly (readonly [at: number, length: number])[]): [number, number];
  /** `path_open` below `fd`; the new descriptor, or minus the errno. */
  open(fd: number, path: string | Uint8Array, options?: { oflags?: number; rights?: bigint; flags?: number }): number;
  /** What `fd_read` gives in one go, or minus the errno. */
  read(fd: number, length: number): string | number;
  write(fd: number, text: string): number;
}

export const RIGHT_READ = 2n;
export const RIGHT_WRITE = 64n;

export function openProbe(capabilities: Partial<Capabilities> = {}, limits: Partial<RunLimits> = {}): Probe {
  const api = (
    globalThis as unknown as {
      WebAssembly: {
        Memory: new (type: object) => { readonly buffer: ArrayBuffer };
        Global: new (type: object, value: bigint) => { value: bigint };
      };
    }
  ).WebAssembly;
  const run = { ...DEFAULT_RUN_LIMITS, ...limits };
  const wasmMemory = new api.Memory({ initial: 1 });
  const fuel = new api.Global({ value: 'i64', mutable: true }, run.fuel);
  if (!(wasmMemory instanceof wasmApi.Memory)) throw new TypeError('there are two WebAssembly interfaces');
  const host = { wallMs: () => 1_700_000_000_123, monotonicMs: () => 4_567 };
  const guest = new GuestContext({ memory: wasmMemory, fuel }, { ...NO_CAPABILITIES, ...capabilities }, run, host);
  const wasi = new WasiImports();
  const functions = wasi.imports[WASI_MODULE] as Record<WasiName, (...values: readonly (number | bigint)[]) => number>;
  const bytes = new Uint8Array(wasmMemory.buffer);

  const probe: Probe = {
    guest,
    memory: new DataView(wasmMemory.buffer),
    fuel: () => fuel.value,
    call(name, ...values) {
      let errno = -1;
      wasi.lend(guest, () => {
        errno = functions[name](...values);
      });
      return errno;
    },
    put(at, content) {
      const encoded = Buffer.from(content);
      bytes.set(encoded, at);
      return [at, encoded.length];
    },
    text: (at, length) => Buffer.from(bytes.slice(at, at + length)).toString(),
    iovecs(...buffers) {
      for (const [index, [at, length]] of buffers.entries()) {
        probe.memory.setUint32(AREA.iovecs + 8 * index, at, true);
        probe.memory.setUint32(AREA.iovecs + 8 * index + 4, length, true);
      }
      return [AREA.iovecs, buffers.length];
    },
    open(fd, path, { oflags = 0, rights = RIGHT_READ, flags = 0 } = {}) {
      const errno = probe.call(
        'path_open',
        fd,
        0,
        ...probe.put(AREA.path, path),
        oflags,
        rights,
        0n,
        flags,
        AREA.result,
      );
      return errno === 0 ? probe.memory.getUint32(AREA.result, true) : -errno;
    },
    read(fd, length) {
      const errno = probe.call('fd_read', fd, ...probe.iovecs([AREA.data, length]), AREA.result);
      return errno === 0 ? probe.text(AREA.data, probe.memory.getUint32(AREA.result, true)) : -errno;
    },
    write(fd, text) {
      return probe.call('fd_write', fd, ...probe.iovecs(probe.put(AREA.data, text)), AREA.result);
    },
  };
  return probe;
}

/** A probe with `/data`, read-only or writable, as descriptor 3. */
export const openDataProbe = (writable: boolean, limits: Partial<RunLimits> = {}): Probe =>
  openProbe({ directories: [{ guestPath: '/data', files: dataFiles(writable) }] }, limits);
