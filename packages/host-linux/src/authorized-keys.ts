/** authorized_keys as sshd(8) reads it, down to fingerprints as ssh-keygen(1) `-lf` prints them. Pure. */
import { createHash } from 'node:crypto';

/** sshd(8): `SSH_MAX_PUBKEY_BYTES` is 16 KiB; a longer line is no key. */
const MAX_LINE_CHARS = 16 * 1024;
const KEY = /^([A-Za-z0-9@.-]+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]|$)/;

/**
 * @returns SHA-256 fingerprints, sorted, each once. Lines that hold no key are skipped, as sshd skips
 *   them: they let nobody in.
 */
export function fingerprintsOf(authorizedKeys: string): string[] {
  const found = new Set<string>();
  for (const line of authorizedKeys.split('\n')) {
    const fingerprint = line.length > MAX_LINE_CHARS ? undefined : fingerprintOfLine(line.trim());
    if (fingerprint !== undefined) found.add(fingerprint);
  }
  return [...found].toSorted();
}

function fingerprintOfLine(line: string): string | undefined {
  if (line === '' || line.startsWith('#')) return undefined;
  // sshd(8) "AUTHORIZED_KEYS FILE FORMAT": options stand before the key; what is no key may be options.
  return fingerprintOfKey(line) ?? fingerprintOfKey(line.slice(optionsLength(line)).trimStart());
}

/** Options end at the first blank outside double quotes; `\"` does not end a quote. */
function optionsLength(line: string): number {
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at];
    if (char === '\\' && line[at + 1] === '"') at += 1;
    else if (char === '"') quoted = !quoted;
    else if ((char === ' ' || char === '\t') && !quoted) return at;
  }
  return line.length;
}

function fingerprintOfKey(text: string): string | undefined {
  const [, type, base64] = KEY.exec(text) ?? [];
  if (type === undefined || base64 === undefined) return undefined;
  const blob = Buffer.from(base64, 'base64');
  // RFC 4253 §6.6: the blob begins with its own type as a string.
  if (blob.length < 4 + type.length || blob.readUInt32BE(0) !== type.length) return undefined;
  if (blob.toString('latin1', 4, 4 + type.length) !== type) return undefined;
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
