/** Listening sockets from the kernel's own tables, which every user may read. */
import { readFile } from 'node:fs/promises';

import { HoldfastError } from '@holdfast/core';
import type { CommandRunner, ListeningSocket, SocketReader } from '@holdfast/host';

import { parseSocketTable, SOCKET_TABLES, sortSockets } from './proc-net.ts';

/** Gives the text of one table. */
export type ReadSocketTable = (table: (typeof SOCKET_TABLES)[number], signal: AbortSignal) => Promise<string>;

/** The tables of this process's own network namespace. */
export const readOwnTable: ReadSocketTable = (table, signal) =>
  readFile(`/proc/net/${table}`, { encoding: 'latin1', signal });

/** The tables of the network namespace that `commands` run in. */
export function readTableThrough(commands: CommandRunner): ReadSocketTable {
  return async (table, signal) => {
    const limits = { timeoutMs: 5_000, maxOutputBytes: 16 * 1024 * 1024 };
    const result = await commands.run(['/usr/bin/cat', `/proc/net/${table}`], limits, signal);
    if (result.exitCode !== 0 || result.truncated) throw unreadable(table);
    return Buffer.from(result.stdout).toString('latin1');
  };
}

export class ProcSockets implements SocketReader {
  readonly #readTable: ReadSocketTable;

  constructor(readTable: ReadSocketTable = readOwnTable) {
    this.#readTable = readTable;
  }

  async list(signal: AbortSignal): Promise<ListeningSocket[]> {
    signal.throwIfAborted();
    const tables = await Promise.all(SOCKET_TABLES.map((table) => this.#list(table, signal)));
    return sortSockets(tables.flat());
  }

  async #list(table: (typeof SOCKET_TABLES)[number], signal: AbortSignal): Promise<ListeningSocket[]> {
    let text: string;
    try {
      text = await this.#readTable(table, signal);
    } catch (cause) {
      signal.throwIfAborted();
      // A kernel without IPv6 has no such tables, and no such sockets.
      if (table.endsWith('6') && (cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw unreadable(table, cause);
    }
    const sockets = parseSocketTable(text, table);
    if (sockets === undefined) throw unreadable(table);
    return sockets;
  }
}

function unreadable(table: string, cause?: unknown): HoldfastError {
  return new HoldfastError('a socket table cannot be read', {
    code: 'ERR_HOST_SOCKETS_UNREADABLE',
    fields: { table },
    cause,
  });
}
