/**
 * `npm run bench`: runs every `*.bench.ts`, prints each figure as a ratio against its peer or limit
 * measured in the same run, and writes `.holdfast/bench.json`. A wanted ratio that is missed is said
 * and makes the exit code 1; absolute times are printed for orientation only.
 *
 * `npm run bench -- audit` runs only the files whose path contains the word.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { listFiles, REPOSITORY } from './repository.ts';

/** One line of the report. */
export interface Figure {
  /** Requirement row, such as `P-37`. */
  readonly row: string;
  readonly name: string;
  /** What was measured, with its unit: `12,345 records/s`. */
  readonly measured: string;
  /** What it is held against, measured in the same run, with its unit. */
  readonly against: string;
  /** measured ÷ against, or `null` where a figure has no peer. */
  readonly ratio: number | null;
  /** The ratio that is wanted: `{atLeast: 0.8}` or `{atMost: 1}`. */
  readonly wanted: { readonly atLeast: number } | { readonly atMost: number } | null;
}

export type Bench = () => Promise<readonly Figure[]>;

function isMet({ ratio, wanted }: Figure): boolean {
  if (wanted === null) return true;
  if (ratio === null || Number.isNaN(ratio)) return false; // not measured never counts as met
  return 'atLeast' in wanted ? ratio >= wanted.atLeast : ratio <= wanted.atMost;
}

function format(figure: Figure): string {
  const { row, name, measured, against, ratio, wanted } = figure;
  const bound =
    wanted === null ? '' : 'atLeast' in wanted ? ` (wanted ≥ ${wanted.atLeast})` : ` (wanted ≤ ${wanted.atMost})`;
  const shown = ratio === null ? 'no peer' : `${ratio.toFixed(2)} ×`;
  return `${isMet(figure) ? 'ok  ' : 'MISS'}  ${row.padEnd(5)} ${name}: ${measured}; ${shown} ${against}${bound}`;
}

const words = process.argv.slice(2);
const files = listFiles().filter(
  (file) => file.endsWith('.bench.ts') && (words.length === 0 || words.some((word) => file.includes(word))),
);
const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
console.log(machine);
const figures: Figure[] = [];
for (const file of files) {
  const { bench } = (await import(join(REPOSITORY, file))) as { bench: Bench };
  for (const figure of await bench()) {
    figures.push(figure);
    console.log(format(figure));
  }
}
mkdirSync(join(REPOSITORY, '.holdfast'), { recursive: true });
writeFileSync(join(REPOSITORY, '.holdfast/bench.json'), `${JSON.stringify({ machine, figures }, undefined, 2)}\n`);
process.exitCode = figures.length > 0 && figures.every(isMet) ? 0 : 1;
