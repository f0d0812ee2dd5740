// A custom check in AssemblyScript: no socket accepts traffic on a port that `config.allow` does not list.
//
// Declares `sockets` as its input. Reads the document from standard input, writes the findings to
// standard output. Build it with
//   asc open_ports.ts --optimize --runtime minimal --use abort= -o open_ports.wasm
import { fd_read, fd_write } from './wasi_snapshot_preview1';

const CHUNK: i32 = 65536;

function readAll(): string {
  const iovec = new StaticArray<usize>(2);
  const count = new StaticArray<u32>(1);
  const chunk = new Uint8Array(CHUNK);
  let all = '';
  iovec[0] = chunk.dataStart;
  iovec[1] = CHUNK;
  while (fd_read(0, changetype<usize>(iovec), 1, changetype<usize>(count)) === 0 && count[0] > 0) {
    all += String.UTF8.decodeUnsafe(chunk.dataStart, count[0]); // sockets and numbers: ASCII, so a chunk ends anywhere
  }
  return all;
}

function print(text: string): void {
  const bytes = String.UTF8.encode(text);
  const iovec = new StaticArray<usize>(2);
  const written = new StaticArray<u32>(1);
  iovec[0] = changetype<usize>(bytes);
  iovec[1] = bytes.byteLength;
  fd_write(1, changetype<usize>(iovec), 1, changetype<usize>(written));
}

/** The text between `open` and `close`, from `start` on; empty when there is none. */
function between(text: string, open: string, close: string, start: i32 = 0): string {
  const from = text.indexOf(open, start);
  if (from < 0) return '';
  const end = text.indexOf(close, from + open.length);
  return end < 0 ? '' : text.substring(from + open.length, end);
}

function finding(status: string, kind: string, subject: string, message: string): string {
  return (
    '{"status":"' +
    status +
    '","severity":"medium","kind":"' +
    kind +
    '","subject":"' +
    subject +
    '","message":"' +
    message +
    '"}'
  );
}

export function _start(): void {
  const document = readAll();
  const allowed = between(document, '"allow":[', ']').split(',');
  const sockets = document.indexOf('"sockets":{"ok":true');
  const findings = new Array<string>();
  if (sockets < 0) findings.push(finding('unknown', 'sockets-unreadable', 'sockets', 'The sockets cannot be listed'));
  let at = sockets < 0 ? -1 : document.indexOf('"protocol":"', sockets);
  while (at >= 0) {
    const port = between(document, '"port":', '}', at);
    const address = between(document, '"address":"', '"', at);
    const subject = between(document, '"protocol":"', '"', at) + ' ' + address + ':' + port;
    if (allowed.includes(port)) findings.push(finding('pass', 'port-allowed', subject, 'The port is listed'));
    else findings.push(finding('fail', 'port-not-allowed', subject, 'The port is not listed'));
    at = document.indexOf('"protocol":"', at + 1);
  }
  print('{"version":1,"findings":[' + findings.join(',') + ']}\n');
}
