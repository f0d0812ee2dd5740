/**
 * The Landlock layer of a profile: landlock(7), as of ABI 7. What is handled is refused unless
 * a rule allows it, so every right that the kernel knows is handled. Older kernels lack the later ones.
 *
 * Rules for paths hold only rights that a file can have, because a path of a profile may be a file
 * or a directory; directories may be listed wherever the mount namespace shows any.
 */
import type { SandboxProfile } from '@holdfast/policy';
import { endpointsOf, nameFiles } from '../namespaces/endpoints.ts';
import type { LandlockRuleset } from '../plan.ts';

/** include/uapi/linux/landlock.h: LANDLOCK_ACCESS_FS_*. */
const FILE_RIGHTS = {
  execute: 1n << 0n,
  writeFile: 1n << 1n,
  readFile: 1n << 2n,
  readDirectory: 1n << 3n,
  removeDirectory: 1n << 4n,
  removeFile: 1n << 5n,
  makeCharacterDevice: 1n << 6n,
  makeDirectory: 1n << 7n,
  makeFile: 1n << 8n,
  makeSocket: 1n << 9n,
  makeFifo: 1n << 10n,
  makeBlockDevice: 1n << 11n,
  makeSymlink: 1n << 12n,
  /** ABI 2: renames and links between directories. */
  refer: 1n << 13n,
  /** ABI 3. */
  truncate: 1n << 14n,
  /** ABI 5. */
  ioctlDevice: 1n << 15n,
} as const;
type FileRight = keyof typeof FILE_RIGHTS;

const BIND_TCP = 1n << 0n;
const CONNECT_TCP = 1n << 1n;
const SCOPE_ABSTRACT_SOCKETS = 1n << 0n;
const SCOPE_SIGNALS = 1n << 1n;

/** The ABI from which the kernel knows the rights of a layer. */
export const LANDLOCK_LAYER_ABI = { 'landlock-files': 1, 'landlock-tcp': 4, 'landlock-scope': 6 } as const;

/** No devices, and nothing to execute: neither is ever made in a sandbox. */
const WRITABLE: readonly FileRight[] = [
  'readFile',
  'writeFile',
  'truncate',
  'removeFile',
  'removeDirectory',
  'makeFile',
  'makeDirectory',
  'makeSymlink',
  'makeFifo',
  'makeSocket',
  'refer',
];

/** The devices that `planSlot` puts into the sandbox. */
export const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'] as const;

/** Everything that `abi` can refuse, and the profile's exceptions. Nothing is handled at ABI 0. */
export function compileLandlock(profile: SandboxProfile, abi: number): LandlockRuleset {
  const handledFiles = rights(Object.keys(FILE_RIGHTS) as FileRight[]) & knownFileRights(abi); // its own keys
  const filtersTcp = abi >= LANDLOCK_LAYER_ABI['landlock-tcp'] && profile.network !== 'host';
  const isScoped = abi >= LANDLOCK_LAYER_ABI['landlock-scope'];
  const ports = new Set(endpointsOf(profile).map(({ port }) => port));
  return {
    handledFiles,
    handledNetwork: filtersTcp ? BIND_TCP | CONNECT_TCP : 0n,
    scoped: isScoped ? SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS : 0n,
    files: [...fileRules(profile)]
      .map(([path, allowed]) => ({ path, allowed: allowed & handledFiles }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    ports: filtersTcp ? [...ports].toSorted((a, b) => a - b).map((port) => ({ port, allowed: CONNECT_TCP })) : [],
  };
}

function fileRules(profile: SandboxProfile): ReadonlyMap<string, bigint> {
  const { files } = profile;
  const rules = new Map<string, bigint>();
  const allow = (path: string, names: readonly FileRight[]): void => {
    rules.set(path, (rules.get(path) ?? 0n) | rights(names));
  };
  allow('/', ['readDirectory']);
  allow('/proc', ['readFile']);
  for (const device of DEVICES) allow(`/dev/${device}`, ['readFile', 'writeFile', 'truncate']);
  for (const { path } of nameFiles(profile)) allow(path, ['readFile']);
  for (const path of files.readOnly) allow(path, ['readFile']);
  for (const path of files.executable) allow(path, ['execute']);
  for (const path of files.writable) allow(path, WRITABLE);
  if (files.tmpBytes > 0) allow('/tmp', WRITABLE);
  return rules;
}

function rights(names: readonly FileRight[]): bigint {
  return names.reduce((all, name) => all | FILE_RIGHTS[name], 0n);
}

function knownFileRights(abi: number): bigint {
  if (abi < 1) return 0n;
  const bits = abi < 2 ? 13n : abi < 3 ? 14n : abi < 5 ? 15n : 16n;
  return (1n << bits) - 1n;
}

/** `read, execute`: rights as `sandbox show` prints them. */
export function describeFileRights(allowed: bigint): string {
  return Object.entries(FILE_RIGHTS)
    .filter(([, bit]) => (allowed & bit) !== 0n)
    .map(([name]) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`))
    .join(', ');
}
