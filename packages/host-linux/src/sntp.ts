/** SNTP (RFC 4330, RFC 5905) as bytes and numbers: what is asked, and what an answer is worth. Pure. */

/** RFC 4330 §4: the header without authenticator. */
export const SNTP_BYTES = 48;
/** Seconds from the NTP era 0 (1900) to the Unix epoch. */
const ERA_OFFSET_S = 2_208_988_800;
const ERA_S = 2 ** 32;

/**
 * A client's request. The transmit timestamp is random: servers only echo it, so it proves that the
 * answer is one to this request and tells nobody our clock.
 */
export function encodeRequest(nonce: Uint8Array): Uint8Array {
  if (nonce.length !== 8) throw new TypeError('a nonce has 8 bytes');
  const packet = new Uint8Array(SNTP_BYTES);
  packet[0] = (4 << 3) | 3; // leap 0, version 4, mode 3 (client)
  packet.set(nonce, 40);
  return packet;
}

export interface SntpAnswer {
  readonly offsetMs: number;
  readonly roundTripMs: number;
}

/** Why an answer counts for nothing. */
export type SntpRefusal =
  | 'malformed'
  | 'not-mine'
  | 'unsynchronised'
  | 'kiss-of-death'
  | 'bad-stratum'
  | 'no-time'
  | 'impossible-delay';

/**
 * @param nonce what the request carried
 * @param sentMs wall time when it was sent
 * @param receivedMs wall time when the answer came, counted from `sentMs` by a clock that does not step
 */
export function readAnswer(
  packet: Uint8Array,
  nonce: Uint8Array,
  sentMs: number,
  receivedMs: number,
): SntpAnswer | SntpRefusal {
  if (packet.length < SNTP_BYTES) return 'malformed';
  const view = new DataView(packet.buffer, packet.byteOffset, SNTP_BYTES);
  const first = view.getUint8(0);
  const [leap, version, mode] = [first >> 6, (first >> 3) & 7, first & 7];
  if (mode !== 4 || version < 3 || version > 4) return 'malformed';
  // RFC 4330 §5 check 3: the originate timestamp is our own.
  if (nonce.length !== 8 || !nonce.every((byte, index) => byte === packet[24 + index])) return 'not-mine';
  const stratum = view.getUint8(1);
  // RFC 5905 §7.4: stratum 0 is a kiss-o'-death, whatever its code.
  if (stratum === 0) return 'kiss-of-death';
  if (stratum > 15) return 'bad-stratum';
  if (leap === 3) return 'unsynchronised';
  const receiveMs = toUnixMs(view, 32, sentMs);
  const transmitMs = toUnixMs(view, 40, sentMs);
  if (receiveMs === undefined || transmitMs === undefined) return 'no-time';
  // RFC 4330 §5: d = (T4 - T1) - (T3 - T2), t = ((T2 - T1) + (T3 - T4)) / 2.
  const roundTripMs = receivedMs - sentMs - (transmitMs - receiveMs);
  if (transmitMs < receiveMs || roundTripMs < -1) return 'impossible-delay'; // clocks with ms steps lose up to 1 ms
  return { offsetMs: (receiveMs - sentMs + (transmitMs - receivedMs)) / 2, roundTripMs: Math.max(0, roundTripMs) };
}

/** RFC 5905 §6: 32.32 fixed point; the era is the one nearest to our own time. Zero means unknown. */
function toUnixMs(view: DataView, at: number, nearMs: number): number | undefined {
  const seconds = view.getUint32(at);
  const fraction = view.getUint32(at + 4);
  if (seconds === 0 && fraction === 0) return undefined;
  const era = Math.round((nearMs / 1_000 + ERA_OFFSET_S - seconds) / ERA_S);
  return (seconds + era * ERA_S - ERA_OFFSET_S) * 1_000 + (fraction * 1_000) / ERA_S;
}

/** `host`, `host:port`, `[v6]:port` or a bare IPv6 address. */
export function parseTimeSource(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, v6, name, portText] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = v6 ?? name ?? (/^[0-9A-Fa-f:.]+$/.test(text) && text.includes('::') ? text : undefined);
  const port = portText === undefined ? 123 : Number(portText);
  return host === undefined || host.length > 253 || port < 1 || port > 65_535 ? undefined : { host, port };
}
