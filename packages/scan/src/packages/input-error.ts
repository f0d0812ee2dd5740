/** How these scanners refuse input: with the file's name and one sentence of ours, never its text. */
import { HoldfastError } from '@holdfast/core';

export function inputError(file: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`${file}: ${reason}`, { code: 'ERR_SCAN_INPUT', fields: { file, reason }, cause });
}
