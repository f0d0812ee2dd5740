/**
 * The lab's time sources: answers SNTP requests (RFC 4330 §5, §6) with this machine's clock plus an
 * offset that can be set per client and source, so that time itself can be broken for one host.
 * It serves nobody but lab hosts and disciplines no clock.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Seconds from the NTP era 0 (1900) to the Unix epoch. */
const NTP_UNIX_OFFSET_S = 2_208_988_800;
const PACKET_BYTES = 48;
const MODE_CLIENT = 3;
const MODE_SERVER = 4;

/** Offset in milliseconds by client address and source address; absent means the right time. */
export type TimeOffsets = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** 64-bit NTP timestamp: seconds since 1900 (era wraps) and a 32-bit fraction. */
export function encodeNtpTimestamp(wallMs: number): Buffer {
  const bytes = Buffer.alloc(8);
  const seconds = Math.floor(wallMs / 1000);
  bytes.writeUInt32BE((seconds + NTP_UNIX_OFFSET_S) % 2 ** 32, 0);
  bytes.writeUInt32BE(Math.floor(((wallMs - seconds * 1000) / 1000) * 2 ** 32), 4);
  return bytes;
}

/** @returns the answer, or `undefined` for anything that is no client request. Never throws. */
export function answerSntp(request: Uint8Array, nowMs: number): Buffer | undefined {
  if (request.length < PACKET_BYTES) return undefined;
  const first = request[0] ?? 0;
  const version = (first >> 3) & 7;
  if ((first & 7) !== MODE_CLIENT || version < 1 || version > 4) return undefined;
  const answer = Buffer.alloc(PACKET_BYTES);
  answer[0] = (version << 3) | MODE_SERVER; // leap indicator 0: no warning
  answer[1] = 2; // stratum: a secondary server
  answer[2] = request[2] ?? 0; // poll interval is echoed, RFC 4330 §6
  answer.writeInt8(-20, 3); // precision: about a microsecond
  answer.writeUInt32BE(1, 8); // root dispersion, 2^-16 s
  answer.write('LAB\0', 12, 'latin1'); // reference identifier
  encodeNtpTimestamp(nowMs - 1000).copy(answer, 16); // reference: last set one second ago
  Buffer.from(request.subarray(40, 48)).copy(answer, 24); // originate := the client's transmit time
  encodeNtpTimestamp(nowMs).copy(answer, 32); // receive
  encodeNtpTimestamp(nowMs).copy(answer, 40); // transmit
  return answer;
}

/** What cannot be read offsets nothing: a lab without a control file tells the right time. */
function readOffsets(path: string): TimeOffsets {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as TimeOffsets; // written by this package only
  } catch {
    return {}; // absent, or caught between two writes by hand
  }
}

/** Serves until `signal` aborts. The control file is read anew for every request: lab traffic is a few packets a minute. */
export async function serveSntp(
  options: { readonly addresses: readonly string[]; readonly port: number; readonly controlPath: string },
  signal: AbortSignal,
): Promise<Socket[]> {
  return Promise.all(
    options.addresses.map(async (address) => {
      const socket = createSocket({ type: 'udp4', signal });
      socket.on('message', (request, peer) => {
        const offsetMs = readOffsets(options.controlPath)[peer.address]?.[address] ?? 0;
        const answer = answerSntp(request, Date.now() + offsetMs);
        // A reply that cannot be sent is a lost packet, which every client of UDP must bear.
        if (answer !== undefined) socket.send(answer, peer.port, peer.address, () => undefined);
      });
      socket.bind(options.port, address);
      await once(socket, 'listening', { signal });
      return socket;
    }),
  );
}
