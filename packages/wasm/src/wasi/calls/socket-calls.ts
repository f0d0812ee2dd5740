/** `sock_*` of WASI preview 1: there are no sockets, only descriptors that are none. */
import { refuse } from '../errno.ts';
import type { GuestContext } from '../guest-context.ts';

function refuseSocket(guest: GuestContext, fd: number): never {
  guest.descriptors.get(fd);
  return refuse('NOTSOCK');
}

export const SOCKET_CALLS = {
  sock_accept: refuseSocket,
  sock_recv: refuseSocket,
  sock_send: refuseSocket,
  sock_shutdown: refuseSocket,
} as const;
