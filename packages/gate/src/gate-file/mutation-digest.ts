/** What a mutation run names, so that it proves something about this very mutation. */
import { canonicalJson } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { GapTest } from './gate-schema.ts';

/** SHA-256 of the mutation's canonical JSON, hex. What a patch file says is part of the source that was tested. */
export const mutationDigest = ({ mutation }: GapTest): string => sha256Hex(canonicalJson(mutation));
