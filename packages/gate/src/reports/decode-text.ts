/** Reports are UTF-8, line by line, and as hostile as the code under test. */
import { malformed } from './malformed.ts';

/** @throws `ERR_REPORT_MALFORMED` */
export function decodeText(format: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed(format, 'not UTF-8');
  }
}

/** Lines with their numbers, without the line ends (LF or CRLF) and without a list of them all. */
export function* linesOf(text: string): Generator<readonly [line: string, number: number]> {
  let number = 0;
  for (let at = 0; at < text.length;) {
    const found = text.indexOf('\n', at);
    const end = found === -1 ? text.length : found;
    number++;
    yield [text.slice(at, text[end - 1] === '\r' && end > at ? end - 1 : end), number];
    at = end + 1;
  }
}
