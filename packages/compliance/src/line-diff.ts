/**
 * Unified diff of two texts, line by line, for people to read. Longest common subsequence over the
 * part that differs; texts whose differing parts are both large are shown as replaced whole.
 */
import { MAX_EXCERPT_CHARS } from '@holdfast/evidence';

const CONTEXT_LINES = 3;
/** Cells of the table: 1,000 × 1,000 lines take some 10 ms and 4 MB. */
const MAX_TABLE_CELLS = 1_000_000;

interface Edit {
  readonly mark: ' ' | '-' | '+';
  readonly line: string;
}

const same = (line: string): Edit => ({ mark: ' ', line });

/**
 * @param maxChars the result is never longer; what is left out is said in its last line
 * @returns `null` when the texts are equal
 */
export function diffLines(expected: string, observed: string, maxChars: number = MAX_EXCERPT_CHARS): string | null {
  if (expected === observed) return null;
  const lines = ['--- expected', '+++ observed', ...hunks(edits(linesOf(expected), linesOf(observed)))];
  return clip(lines, maxChars);
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  else lines.push('\\ No newline at end of file');
  return lines;
}

function edits(from: readonly string[], to: readonly string[]): Edit[] {
  let head = 0;
  while (head < from.length && head < to.length && from[head] === to[head]) head += 1;
  let tail = 0;
  while (
    tail < from.length - head &&
    tail < to.length - head &&
    from[from.length - 1 - tail] === to[to.length - 1 - tail]
  ) {
    tail += 1;
  }
  return [
    ...from.slice(0, head).map(same),
    ...middle(from.slice(head, from.length - tail), to.slice(head, to.length - tail)),
    ...from.slice(from.length - tail).map(same),
  ];
}

function middle(from: readonly string[], to: readonly string[]): Edit[] {
  const removed = from.map((line): Edit => ({ mark: '-', line }));
  const added = to.map((line): Edit => ({ mark: '+', line }));
  if (from.length * to.length > MAX_TABLE_CELLS) return [...removed, ...added];

  // lengths[i * width + j]: longest common subsequence of from[i..] and to[j..]
  const width = to.length + 1;
  const lengths = new Uint32Array((from.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = from.length - 1; i >= 0; i -= 1) {
    for (let j = to.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = from[i] === to[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const result: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    if (i < from.length && j < to.length && from[i] === to[j]) {
      result.push({ mark: ' ', line: from[i] ?? '' });
      i += 1;
      j += 1;
    } else if (i < from.length && (j === to.length || at(i + 1, j) >= at(i, j + 1))) {
      result.push({ mark: '-', line: from[i] ?? '' });
      i += 1;
    } else {
      result.push({ mark: '+', line: to[j] ?? '' });
      j += 1;
    }
  }
  return result;
}

function hunks(all: readonly Edit[]): string[] {
  const near = new Uint8Array(all.length);
  all.forEach((edit, index) => {
    if (edit.mark === ' ') return;
    near.fill(1, Math.max(0, index - CONTEXT_LINES), Math.min(all.length, index + CONTEXT_LINES + 1));
  });
  const lines: string[] = [];
  let fromLine = 1;
  let toLine = 1;
  let header = -1;
  let counts = { from: 0, to: 0, fromStart: 0, toStart: 0 };
  const close = (): void => {
    if (header < 0) return;
    lines[header] = `@@ -${counts.fromStart},${counts.from} +${counts.toStart},${counts.to} @@`;
    header = -1;
  };
  all.forEach((edit, index) => {
    if (near[index] === 1) {
      if (header < 0) {
        header = lines.push('') - 1;
        counts = { from: 0, to: 0, fromStart: fromLine, toStart: toLine };
      }
      lines.push(edit.mark + edit.line);
      if (edit.mark !== '+') counts.from += 1;
      if (edit.mark !== '-') counts.to += 1;
    } else {
      close();
    }
    if (edit.mark !== '+') fromLine += 1;
    if (edit.mark !== '-') toLine += 1;
  });
  close();
  return lines;
}

function clip(lines: readonly string[], maxChars: number): string {
  const whole = `${lines.join('\n')}\n`;
  if (whole.length <= maxChars) return whole;
  // Room for the last line, whatever the number in it.
  const room = maxChars - 40;
  let text = '';
  let kept = 0;
  for (const line of lines) {
    if (text.length + line.length + 1 > room) break;
    text += `${line}\n`;
    kept += 1;
  }
  return `${text}… ${lines.length - kept} more lines\n`;
}
