/** A refusal as the connection sends it: the code alone reaches the caller (G-04). */
import { type ErrorCode, HoldfastError } from '@holdfast/core';

export const refusalOf = (code: ErrorCode): HoldfastError => new HoldfastError('refused', { code });
