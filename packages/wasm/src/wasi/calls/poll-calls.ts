/**
 * `poll_oneoff` of WASI preview 1. Streams and files are always ready. Where nothing is, the guest's
 * clocks are moved to the earliest deadline: the host never waits.
 */
import { CLOCK, EVENT_HANGUP, EVENTTYPE, SIZE, SUBCLOCK_ABSTIME } from '../abi.ts';
import { ERRNO, granted, refuse, WasiRefusal } from '../errno.ts';
import type { GuestContext } from '../guest-context.ts';
import { HOST_COST } from '../host-cost.ts';

/** Above what any event loop for at most some hundred descriptors asks; bounds the copy of the list. */
const MAX_SUBSCRIPTIONS = 1_024;

interface Event {
  readonly userdata: bigint;
  readonly errno: number;
  readonly type: number;
  readonly bytes: bigint;
  readonly hangup: boolean;
}

/** What is ready now, and clocks, which are ready in `inNs`. */
type Answer = { readonly event: Event; readonly inNs: bigint };

function pollClock(guest: GuestContext, userdata: bigint, clock: DataView): Answer {
  const event: Event = { userdata, errno: ERRNO.SUCCESS, type: EVENTTYPE.CLOCK, bytes: 0n, hangup: false };
  const id = clock.getUint32(0, true);
  const now = id === CLOCK.REALTIME || id === CLOCK.MONOTONIC ? guest.time.read(id) : null;
  if (now === null) return { event: { ...event, errno: ERRNO.INVAL }, inNs: 0n };
  const timeout = clock.getBigUint64(8, true);
  if ((clock.getUint16(24, true) & SUBCLOCK_ABSTIME) === 0) return { event, inNs: timeout };
  return { event, inNs: timeout > now ? timeout - now : 0n };
}

function readable(guest: GuestContext, fd: number): { readonly bytes: bigint; readonly hangup: boolean } {
  const descriptor = guest.descriptors.get(fd);
  if (descriptor.kind === 'input') {
    const left = descriptor.bytes.length - descriptor.position;
    return { bytes: BigInt(left), hangup: left === 0 };
  }
  if (descriptor.kind !== 'file') return refuse('BADF');
  const left = granted(descriptor.file.stat()).sizeBytes - descriptor.position;
  return { bytes: BigInt(Math.max(0, left)), hangup: false };
}

function writable(guest: GuestContext, fd: number): { readonly bytes: bigint; readonly hangup: boolean } {
  const { kind } = guest.descriptors.get(fd);
  if (kind !== 'file' && kind !== 'output') refuse('BADF');
  return { bytes: 65_536n, hangup: false };
}

function pollDescriptor(guest: GuestContext, userdata: bigint, type: number, fd: number): Answer {
  try {
    const ready = type === EVENTTYPE.FD_READ ? readable(guest, fd) : writable(guest, fd);
    return { event: { userdata, errno: ERRNO.SUCCESS, type, ...ready }, inNs: 0n };
  } catch (error) {
    if (!(error instanceof WasiRefusal)) throw error;
    return { event: { userdata, errno: error.errno, type, bytes: 0n, hangup: false }, inNs: 0n };
  }
}

function answer(guest: GuestContext, subscription: DataView): Answer {
  const userdata = subscription.getBigUint64(0, true);
  const type = subscription.getUint8(8);
  if (type === EVENTTYPE.CLOCK) {
    return pollClock(guest, userdata, new DataView(subscription.buffer, subscription.byteOffset + 16, 32));
  }
  if (type > EVENTTYPE.FD_WRITE) refuse('INVAL');
  return pollDescriptor(guest, userdata, type, subscription.getUint32(16, true));
}

function writeEvent(guest: GuestContext, at: number, event: Event): void {
  const { memory } = guest;
  memory.span(at, SIZE.EVENT).fill(0);
  memory.setU64(at, event.userdata);
  memory.setU16(at + 8, event.errno);
  memory.setU8(at + 10, event.type);
  memory.setU64(at + 16, event.bytes);
  memory.setU16(at + 24, event.hangup ? EVENT_HANGUP : 0);
}

export const POLL_CALLS = {
  poll_oneoff(guest: GuestContext, subscriptions: number, events: number, count: number, result: number): void {
    const wanted = count >>> 0;
    if (wanted === 0 || wanted > MAX_SUBSCRIPTIONS) refuse('INVAL');
    guest.charge(wanted * HOST_COST.subscription);
    const out = guest.memory.check(events, wanted * SIZE.EVENT);
    guest.memory.check(result, 4);
    // A copy: the events may overwrite the subscriptions.
    const list = guest.memory.span(subscriptions, wanted * SIZE.SUBSCRIPTION).slice();
    const answers = Array.from({ length: wanted }, (_, index) =>
      answer(guest, new DataView(list.buffer, index * SIZE.SUBSCRIPTION, SIZE.SUBSCRIPTION)),
    );
    const earliest = answers.reduce((least, { inNs }) => (inNs < least ? inNs : least), answers[0]!.inNs);
    guest.time.sleep(earliest);
    const ready = answers.filter(({ inNs }) => inNs <= earliest);
    for (const [index, { event }] of ready.entries()) writeEvent(guest, out + index * SIZE.EVENT, event);
    guest.memory.setU32(result, ready.length);
  },
} as const;
