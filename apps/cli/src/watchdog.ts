/**
 * The cheap half of `holdfast guard --recover`: whether a guard listens on this host's socket. Only
 * `node:` modules and one file of constants, because the watchdog runs it every 30 s (P-15). Whatever
 * is not clearly "a guard is there" goes the whole way, where the guard's own lock decides.
 */
import { connect } from 'node:net';
import { hostPaths } from '@holdfast/api/paths';

/** The kernel answers for a socket that is listened on, whatever its owner is busy with. */
const CONNECT_TIMEOUT_MS = 1_000;

/** Exactly as the units say it; every other spelling is the command line's to read. */
const WATCHDOG = /^guard --root (?<root>\/\S*) --recover$/;

/** @param args without the program. @returns true when a guard is running: then nothing is to be done */
export async function watchdogHasNothingToDo(args: readonly string[]): Promise<boolean> {
  const root = WATCHDOG.exec(args.join(' '))?.groups?.['root'];
  return root !== undefined && (await isListening(hostPaths(root).socket));
}

function isListening(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  const answer = (isThere: boolean): void => {
    socket.destroy();
    resolve(isThere);
  };
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => answer(false));
  socket.on('connect', () => answer(true));
  socket.on('error', () => answer(false)); // no socket, or nobody behind it: the whole way finds out more
  return promise;
}
