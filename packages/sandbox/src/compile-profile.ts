/**
 * A profile compiled for one kernel: checked for what would make it weaker than it reads,
 * and turned into the bytes and rules that are put on. Pure; which paths and users exist is seen later.
 */
import { isIP } from 'node:net';
import { HoldfastError, canonicalJson } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { SANDBOX_LAYERS, type SandboxLayer, type SandboxProfile } from '@holdfast/policy';
import { LANDLOCK_LAYER_ABI, compileLandlock } from './landlock/compile-landlock.ts';
import type { CompiledProfile, KernelFeatures } from './plan.ts';
import { CALLS_BEHIND_FILTER } from './plan-job.ts';
import { isAlways } from './seccomp/call-rule.ts';
import { compileSeccomp } from './seccomp/compile-seccomp.ts';
import { planFilter } from './seccomp/plan-filter.ts';

/** Written there, a command could change what others read or execute. */
const NEVER_WRITABLE = ['/usr', '/etc', '/proc', '/sys', '/dev', '/boot', '/bin', '/sbin', '/lib', '/lib64'];
/** The sandbox has its own. */
const OWN = ['/proc', '/dev', '/sys', '/.launcher'];
const GIVEN_UP_WITH_HOST_NETWORK: readonly SandboxLayer[] = ['network-namespace', 'landlock-tcp'];

/**
 * @throws `ERR_SANDBOX_PROFILE` when the profile contradicts itself or would be weaker than it reads
 * @throws `ERR_SANDBOX_MISSING` when it requires a layer that this kernel does not have
 */
export function compileProfile(profile: SandboxProfile, features: KernelFeatures): CompiledProfile {
  checkFiles(profile);
  checkEndpoints(profile);
  if (profile.user === 'root') refuse('user', 'root');
  const layers = layersOf(profile, features);
  const landlock = compileLandlock(profile, features.landlockAbi);
  const seccomp = compileSeccomp(profile, features);
  checkCalls(profile, features);
  const hash = sha256Hex(
    canonicalJson({
      profile,
      features: { architecture: features.architecture, landlockAbi: features.landlockAbi },
      seccomp: Buffer.from(seccomp).toString('base64'),
      // Bit sets as text: canonical JSON has no 64-bit numbers.
      landlock: JSON.stringify(landlock, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
      layers,
    }),
  );
  return { profile, features, hash, seccomp, landlock, layers };
}

function layersOf(profile: SandboxProfile, { landlockAbi }: KernelFeatures): readonly SandboxLayer[] {
  const givenUp = new Set(profile.network === 'host' ? GIVEN_UP_WITH_HOST_NETWORK : []);
  const lacking = new Set<SandboxLayer>();
  for (const [layer, abi] of Object.entries(LANDLOCK_LAYER_ABI)) {
    if (landlockAbi < abi) lacking.add(layer as SandboxLayer); // a key of the constant above it
  }
  for (const layer of profile.require) {
    if (givenUp.has(layer)) refuse('require', layer);
    if (lacking.has(layer)) {
      throw new HoldfastError(`this kernel has no ${layer}`, { code: 'ERR_SANDBOX_MISSING', fields: { layer } });
    }
  }
  return SANDBOX_LAYERS.filter((layer) => !givenUp.has(layer) && !lacking.has(layer));
}

function checkFiles({ files }: SandboxProfile): void {
  const writable = [...files.writable, ...(files.tmpBytes > 0 ? ['/tmp'] : [])];
  for (const path of files.readOnly) {
    if (path === '/' || OWN.some((own) => isWithin(path, own))) refuse('files.readOnly', path);
    if (files.tmpBytes > 0 && path === '/tmp') refuse('files.readOnly', path);
  }
  for (const path of files.writable) {
    if (path === '/' || path === '/tmp' || [...OWN, ...NEVER_WRITABLE].some((never) => isWithin(path, never))) {
      refuse('files.writable', path);
    }
  }
  for (const path of files.executable) {
    if (!files.readOnly.some((seen) => isWithin(path, seen))) refuse('files.executable', path);
    // Landlock's rights hold for everything below: neither may contain the other. A private /tmp may
    // contain a mount that is read-only and executable, which stays a mount of its own.
    if (files.writable.some((other) => isWithin(path, other)) || writable.some((other) => isWithin(other, path))) {
      refuse('files.executable', path);
    }
  }
}

/** A name gets an address in the sandbox; an address has no place there. */
function checkEndpoints({ network }: SandboxProfile): void {
  if (typeof network === 'string') return;
  const seen = new Set<string>();
  for (const { host, port } of network.endpoints) {
    const name = `${host}:${port}`;
    if (isIP(host) !== 0 || host.includes(':') || seen.has(name)) refuse('network.endpoints', name);
    seen.add(name);
  }
}

/** What the launcher itself does behind the filter. */
function checkCalls(profile: SandboxProfile, { architecture }: KernelFeatures): void {
  const plan = planFilter(profile, architecture);
  for (const name of CALLS_BEHIND_FILTER) {
    if (!isAlways(plan.get(name)?.cases ?? [])) refuse('syscalls', name);
  }
}

function isWithin(path: string, directory: string): boolean {
  const [inner, outer] = [path, directory].map((text) => (text.endsWith('/') ? text : `${text}/`));
  return inner !== undefined && outer !== undefined && inner.startsWith(outer);
}

function refuse(place: string, value: string): never {
  throw new HoldfastError(`the sandbox profile cannot be used: ${place}`, {
    code: 'ERR_SANDBOX_PROFILE',
    fields: { place, value },
  });
}
