/** Baselines for tests: captured from the host they are for, as a person would. */
import { encodeBase64, sha256Hex, type Signer, signerFromSeed } from '@holdfast/crypto';
import type { HostReader } from '@holdfast/host';
import { type Baseline, parseBaseline, requireBaseline } from '../src/baseline.ts';
import { captureBaseline, type CaptureOptions } from '../src/capture-baseline.ts';
import type { Check } from '../src/check.ts';
import { CHECKS } from '../src/checks.ts';
import type { BaselineKey, LoadedBaseline } from '../src/signed-baseline.ts';
import { NOW_MS } from './in-memory-host.ts';

export const SIGNER: Signer = signerFromSeed(new Uint8Array(32).fill(7));

export const PINNED: BaselineKey = {
  publicKey: encodeBase64(SIGNER.publicKey),
  purposes: ['baseline'],
  validFrom: '2026-01-01T00:00:00.000Z',
  validTo: null,
};

export const CAPTURE_ALL: CaptureOptions = {
  name: 'test',
  nowMs: NOW_MS,
  remediation: 'auto',
  firewall: true,
  units: ['ssh.service', 'cron.service'],
  loggingUnits: ['systemd-journald.service'],
  canaryWithinMs: 100,
  files: ['/etc/motd', '/etc/secret'],
  ports: true,
  accounts: true,
  timeSources: ['a', 'b', 'c'],
  certificateFiles: ['/etc/tls.pem'],
};

export const neverAborted = new AbortController().signal;

export const baselineFrom = (yaml: string): Baseline => requireBaseline(parseBaseline(yaml));

export const loadedFrom = (yaml: string): LoadedBaseline => ({
  ok: true,
  baseline: baselineFrom(yaml),
  hash: sha256Hex(yaml),
  keyId: SIGNER.keyId,
});

/** Everything about the host as it is now. */
export const captureAll = (host: HostReader, options: Partial<CaptureOptions> = {}): Promise<string> =>
  captureBaseline(host, { ...CAPTURE_ALL, ...options }, neverAborted);

/** The checks the baseline has a section for. */
export const checksIn = (loaded: LoadedBaseline): ReadonlyMap<string, Check> =>
  new Map([...CHECKS].filter(([name]) => loaded.ok && loaded.baseline.sections.has(name)));
