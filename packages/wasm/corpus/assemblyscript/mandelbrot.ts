// Counts the points of a grid that are in the Mandelbrot set, with AssemblyScript's own strings and
// arrays. AssemblyScript brings no WASI: what is used of it is declared by hand.

import { fd_write } from './wasi_snapshot_preview1';

const SIDE: i32 = 200;
const MAX_STEPS: i32 = 200;

function print(text: string): void {
  const bytes = String.UTF8.encode(text + '\n');
  const iovec = new StaticArray<usize>(2);
  const written = new StaticArray<u32>(1);
  iovec[0] = changetype<usize>(bytes);
  iovec[1] = bytes.byteLength;
  fd_write(1, changetype<usize>(iovec), 1, changetype<usize>(written));
}

function steps(x: f64, y: f64): i32 {
  let re = x;
  let im = y;
  for (let step = 0; step < MAX_STEPS; step++) {
    if (re * re + im * im > 4) return step;
    const next = re * re - im * im + x;
    im = 2 * re * im + y;
    re = next;
  }
  return MAX_STEPS;
}

export function _start(): void {
  const rows = new Array<i32>();
  for (let row = 0; row < SIDE; row++) {
    let inside = 0;
    for (let column = 0; column < SIDE; column++) {
      if (steps((3.0 * column) / SIDE - 2.25, (2.5 * row) / SIDE - 1.25) === MAX_STEPS) inside++;
    }
    rows.push(inside);
  }
  rows.sort((a, b) => a - b);
  print(
    'inside ' +
      rows.reduce<i32>((sum, inside) => sum + inside, 0).toString() +
      ', widest row ' +
      rows[SIDE - 1].toString(),
  );
}
