/** A brokered directory as the guest's WASI sees it: read-only, every question a call to the parent. */
import type { FileError, FileResult, FileStat, GuestFile, GuestFileSystem } from '@holdfast/wasm';
import type { BrokerEntry, DirectoryBroker } from '../broker/directory-broker.ts';

/** The broker's questions, wherever it is. */
export type RemoteBroker = Pick<DirectoryBroker, 'stat' | 'list' | 'open' | 'statFile' | 'read' | 'close'>;

/** Read at once for guests that ask for little: a question costs some 50 µs whatever its size. */
const READ_AHEAD_BYTES = 65_536;

const refuse = (error: FileError): { readonly ok: false; readonly error: FileError } => ({ ok: false, error });

export function brokerFileSystem(broker: RemoteBroker): GuestFileSystem {
  /** Writing ends with the more telling of two errors: what is wrong with the path, or `read-only`. */
  const unwritable = (path: readonly string[]): FileResult<null> => {
    const found = broker.stat(path);
    return found.ok ? refuse('read-only') : found;
  };
  return {
    writable: false,
    stat: (path): FileResult<FileStat> => broker.stat(path),
    list: (path): FileResult<readonly BrokerEntry[]> => broker.list(path),
    open(path, { create, exclusive, truncate, write }) {
      const found = broker.stat(path);
      if (!found.ok) return create && found.error === 'not-found' ? refuse('read-only') : found;
      if (create && exclusive) return refuse('exists');
      if (found.value.kind === 'directory') return refuse('is-a-directory');
      if (write || truncate) return refuse('read-only');
      const opened = broker.open(path);
      return opened.ok ? { ok: true, value: brokeredFile(broker, opened.value) } : opened;
    },
    makeDirectory: (path) => (broker.stat(path).ok ? refuse('exists') : refuse('read-only')),
    remove: unwritable,
    rename: unwritable,
  };
}

function brokeredFile(broker: RemoteBroker, handle: number): GuestFile {
  let ahead: { readonly offset: number; readonly bytes: Uint8Array } = { offset: 0, bytes: new Uint8Array() };
  return {
    stat: () => broker.statFile(handle),
    read(buffer, offset) {
      if (buffer.length === 0) return { ok: true, value: 0 };
      if (offset < ahead.offset || offset >= ahead.offset + ahead.bytes.length) {
        const read = broker.read(handle, offset, Math.max(buffer.length, READ_AHEAD_BYTES));
        if (!read.ok) return read;
        ahead = { offset, bytes: read.value };
      }
      const piece = ahead.bytes.subarray(offset - ahead.offset, offset - ahead.offset + buffer.length);
      buffer.set(piece);
      return { ok: true, value: piece.length };
    },
    write: () => refuse('not-permitted'),
    resize: () => refuse('not-permitted'),
    setModified: () => refuse('read-only'),
    close: () => broker.close(handle),
  };
}
