/**
 * Reads that need root, asked of the guard (C-01): the packet filter, the accounts, and the files the
 * baseline names. The guard answers from its own pinned baseline, so that the agent cannot widen
 * what it sees by asking.
 */
import type { ObservationName } from '@holdfast/api';
import { HoldfastError, type Json } from '@holdfast/core';
import type { AccountReader, FileReader, PacketFilterReader } from '@holdfast/host';
import { z } from 'zod';

/** The guard's `observe`. */
export interface Observer {
  observe(name: ObservationName, signal: AbortSignal): Promise<Json>;
}

export interface GuardReaders {
  readonly packetFilter: PacketFilterReader;
  readonly accounts: AccountReader;
  readonly files: FileReader;
}

const AccountSchema = z.strictObject({
  name: z.string(),
  uid: z.int(),
  gid: z.int(),
  shell: z.string(),
  password: z.enum(['empty', 'set', 'locked', 'unknown']),
  expired: z.boolean(),
  authorizedKeys: z.array(z.string()).nullable(),
});
const FileStateSchema = z.discriminatedUnion('kind', [
  z.strictObject({ path: z.string(), kind: z.literal('missing') }),
  z.strictObject({
    path: z.string(),
    kind: z.enum(['file', 'directory', 'symlink', 'other']),
    sizeBytes: z.int(),
    mode: z.string(),
    uid: z.int(),
    gid: z.int(),
    sha256: z.string().nullable(),
  }),
]);

/** @throws `ERR_GUARD_PROTOCOL` */
function parseWith<T extends z.ZodType>(schema: T, value: Json): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new HoldfastError('what the guard observed has a wrong shape', { code: 'ERR_GUARD_PROTOCOL' });
}

export function openGuardReaders(guard: Observer): GuardReaders {
  return {
    packetFilter: { read: async (signal) => parseWith(z.string(), await guard.observe('packet-filter', signal)) },
    accounts: { list: async (signal) => parseWith(z.array(AccountSchema), await guard.observe('accounts', signal)) },
    files: {
      stat: async (path, signal) => {
        const states = parseWith(z.array(FileStateSchema), await guard.observe('files', signal));
        const state = states.find((entry) => entry.path === path);
        if (state !== undefined) return state;
        throw unreadable();
      },
      // The guard tells of files; it does not hand them out.
      read: () => Promise.reject(unreadable()),
    },
  };
}

function unreadable(): HoldfastError {
  return new HoldfastError('the guard does not show this file', { code: 'ERR_HOST_FILE_UNREADABLE' });
}
