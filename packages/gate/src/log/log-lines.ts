/** `log.jsonl`: one envelope a line. An envelope is canonical JSON, which has no newline. */

const NEWLINE = 0x0a;

export function encodeLog(envelopes: readonly Uint8Array[]): Uint8Array {
  const newline = Uint8Array.of(NEWLINE);
  return Buffer.concat(envelopes.flatMap((bytes) => [bytes, newline]));
}

export interface LogLines {
  readonly envelopes: readonly Uint8Array[];
  /** Bytes that they take with their newlines; what follows is no part of them. */
  readonly endBytes: number;
}

/** The first `count` whole lines, or as many as there are. */
export function splitLog(bytes: Uint8Array, count: number): LogLines {
  const envelopes: Uint8Array[] = [];
  let endBytes = 0;
  while (envelopes.length < count) {
    const newline = bytes.indexOf(NEWLINE, endBytes);
    if (newline === -1) break;
    envelopes.push(bytes.subarray(endBytes, newline));
    endBytes = newline + 1;
  }
  return { envelopes, endBytes };
}
