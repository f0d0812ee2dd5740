/** A gate's log in memory: for bundles that are judged without being unpacked, and for tests. */
import { sha256Hex, type Signer } from '@holdfast/crypto';
import type { GateRecord } from '../records/statements.ts';
import { appendTo } from './append.ts';
import type { GateLog, LogBytes, LogHead, NewRecord } from './gate-log.ts';
import { encodeLog } from './log-lines.ts';
import { LogReader } from './log-reader.ts';
import { missingObject } from './objects.ts';
import { readLog } from './read-log.ts';
import { invalidHead, signHead } from './signed-head.ts';

export class MemoryGateLog implements GateLog {
  readonly #gateId: string;
  #reader: LogReader;
  #lines: readonly Uint8Array[] = [];
  #checkpoint = '';
  readonly #objects = new Map<string, Uint8Array>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(gateId: string) {
    this.#gateId = gateId;
    this.#reader = new LogReader(gateId);
  }

  /**
   * The log that `bytes` are, all of it verified, with `objects` by digest.
   *
   * @throws `ERR_GATE_LOG_INVALID` also when there is more than the head covers
   */
  static async read(gateId: string, bytes: LogBytes, objects: Iterable<Uint8Array>): Promise<MemoryGateLog> {
    const { reader, endBytes } = await readLog(gateId, bytes);
    if (endBytes !== bytes.log.length) throw invalidHead('there are more lines than it signs');
    const log = new MemoryGateLog(gateId);
    log.#reader = reader;
    log.#checkpoint = bytes.checkpoint;
    log.#lines = [bytes.log];
    for (const object of objects) log.#objects.set(sha256Hex(object), object);
    return log;
  }

  get head(): LogHead {
    return this.#reader.head;
  }

  get records(): readonly GateRecord[] {
    return this.#reader.records;
  }

  async append(batch: readonly NewRecord[], signer: Signer): Promise<readonly GateRecord[]> {
    if (batch.length === 0) return [];
    const appended = this.#last.then(async () => {
      const { reader, envelopes, records } = await appendTo(this.#reader, batch, signer);
      this.#checkpoint = signHead(this.#gateId, reader.head, signer);
      this.#lines = [...this.#lines, encodeLog(envelopes)];
      this.#reader = reader;
      return records;
    });
    this.#last = appended.catch(() => undefined); // its caller hears of it
    return appended;
  }

  async bytes(): Promise<LogBytes> {
    return { log: Buffer.concat(this.#lines), checkpoint: this.#checkpoint };
  }

  async putObject(bytes: Uint8Array): Promise<string> {
    const digest = sha256Hex(bytes);
    this.#objects.set(digest, Uint8Array.from(bytes));
    return digest;
  }

  async getObject(digest: string): Promise<Uint8Array> {
    const bytes = this.#objects.get(digest);
    if (bytes === undefined) throw missingObject(digest);
    return bytes;
  }
}
