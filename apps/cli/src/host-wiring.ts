/**
 * Puts the parts of one host together: which adapters see it, what its baseline offers, who it is.
 * A root of `/` is this machine; any other root is a simulated host that lives in that directory.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HostPaths, hostPaths, type Trust } from '@holdfast/api';
import { loadTrust, openGuardReaders } from '@holdfast/agent';
import { complianceOperations, listBaselineFiles, type LoadedBaseline, loadBaseline } from '@holdfast/compliance';
import { HoldfastError } from '@holdfast/core';
import { loadSigner } from '@holdfast/crypto';
import type { EvidenceKeys } from '@holdfast/evidence';
import type { GuardBaseline, GuardClient } from '@holdfast/guard';
import type { Host, HostReader } from '@holdfast/host';
import { bootId, openLinuxHost, openLinuxReader } from '@holdfast/host-linux';
import { openSimulatedHost } from '@holdfast/host-sim';

export const VERSION = '0.1.0';

export interface RootOption {
  readonly root: string;
}

export function isSimulated(root: string): boolean {
  return root !== '/';
}

export function requireRoot(what: string): void {
  if (process.getuid?.() === 0) return;
  throw new HoldfastError(`${what} needs root`, { code: 'ERR_CLI_NEEDS_ROOT' });
}

/** As the units hand it over: `%b` of systemd.unit(5), 32 hexadecimal digits. */
const BOOT_ID_VARIABLE = 'HOLDFAST_BOOT_ID';

/**
 * Which boot this is, as the host's own systemd counts: a unit in a sandbox sees the kernel's boot
 * id, which in a container outlives a reboot. Without systemd it is the kernel's.
 */
export function currentBootId(environment: Readonly<Record<string, string | undefined>>): string {
  const given = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(
    environment[BOOT_ID_VARIABLE] ?? '',
  );
  return given === null ? bootId() : given.slice(1).join('-');
}

/** Eyes and hands: for the guard, and for root on the command line. */
export async function openHost(root: string): Promise<Host> {
  if (!isSimulated(root)) return openLinuxHost();
  const directory = join(root, 'simulated');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return openSimulatedHost(directory);
}

/** Eyes only; what needs root is asked of the guard. */
export async function openReader(root: string, guard: GuardClient): Promise<HostReader> {
  return isSimulated(root) ? openHost(root) : openLinuxReader(openGuardReaders(guard));
}

/** The pinned baseline of the host, verified now. */
export async function loadHostBaseline(paths: HostPaths, trust: Trust, nowMs: number): Promise<LoadedBaseline> {
  return loadBaseline(paths.baseline, trust.keys, nowMs, trust.hostId);
}

/** What the baseline lets the guard do and show. Copies of files too large to inline are found by their digest. */
export async function loadGuardBaseline(paths: HostPaths, trust: Trust, nowMs: number): Promise<GuardBaseline> {
  const loaded = await loadHostBaseline(paths, trust, nowMs);
  const baseline = loaded.ok ? loaded.baseline : null;
  const blobs = async (sha256: string): Promise<Uint8Array | null> => {
    try {
      return readFileSync(join(paths.guardState, 'blobs', sha256));
    } catch {
      return null; // no such copy: the operation refuses, and says which
    }
  };
  return {
    hash: loaded.ok ? { value: loaded.hash } : { unknown: `${loaded.code}: ${loaded.reason}`.slice(0, 200) },
    operations: complianceOperations(baseline, { blobs }),
    observedFiles: listBaselineFiles(baseline),
  };
}

/** The host's own public key, for verifying on the host itself; others pin it from `holdfast server trust`. */
export function hostKeys(root: string): EvidenceKeys {
  const paths = hostPaths(root);
  const { publicKey } = loadSigner(paths.hostKey);
  return [{ publicKey, hostId: loadTrust(paths).hostId }];
}
