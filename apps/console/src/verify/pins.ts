/**
 * The keys this browser pinned. The first sight of an org's log key and of each host's key is
 * remembered here; from then on a different key is an alarm, not an update. The fingerprint is shown
 * so that it can be compared with what `holdfast server trust` prints on the server itself.
 */
import type { TrustView } from '@holdfast/api';
import { concatenate, fromBase64, sha256, toBase64 } from './bytes.ts';

export interface Pins {
  readonly logOrigin: string;
  readonly logKey: string;
  /** Raw public keys in base64, by host id. */
  readonly hosts: Readonly<Record<string, string>>;
  readonly pinnedAt: string;
}

/** Where pins are kept: the browser's `localStorage`. */
export interface PinStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface PinnedTrust {
  readonly pins: Pins;
  /** What the server says now and the pin contradicts. Empty when all agree. */
  readonly contradictions: readonly string[];
}

const storageKey = (orgId: string): string => `holdfast-pins-${orgId}`;

export function readPins(storage: PinStorage, orgId: string): Pins | undefined {
  const text = storage.getItem(storageKey(orgId));
  return text === null ? undefined : (JSON.parse(text) as Pins);
}

export function forgetPins(storage: PinStorage, orgId: string): void {
  storage.removeItem(storageKey(orgId));
}

/** Pins what is new, keeps what was pinned, and names every contradiction. */
export function pin(storage: PinStorage, orgId: string, trust: TrustView, nowIso: string): PinnedTrust {
  const before = readPins(storage, orgId);
  const contradictions: string[] = [];
  if (before !== undefined && before.logKey !== trust.logKey)
    contradictions.push('the transparency log has another key');
  const hosts: Record<string, string> = { ...before?.hosts };
  for (const { hostId, name, publicKey, validTo } of trust.hosts) {
    if (validTo !== null) continue; // a retired key; what it signed is verified with the pin of its time
    const pinned = hosts[hostId];
    if (pinned === undefined) hosts[hostId] = publicKey;
    else if (pinned !== publicKey) contradictions.push(`host ${name} has another key`);
  }
  const pins: Pins = {
    logOrigin: before?.logOrigin ?? trust.logOrigin,
    logKey: before?.logKey ?? trust.logKey,
    hosts,
    pinnedAt: before?.pinnedAt ?? nowIso,
  };
  storage.setItem(storageKey(orgId), JSON.stringify(pins));
  return { pins, contradictions };
}

/** `SHA256:` and the unpadded base64url digest of the raw key: the key id the command line prints. */
export async function fingerprint(publicKeyBase64: string): Promise<string> {
  const digest = toBase64(await sha256(concatenate(fromBase64(publicKeyBase64))));
  return `SHA256:${digest.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}
