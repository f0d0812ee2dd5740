/** A sandbox profile from the text of a TOML file, as one would stand in a policy. */
import { HoldfastError } from '@holdfast/core';
import { parse } from 'smol-toml';
import { z } from 'zod';
import { type SandboxProfile, SandboxProfileSchema } from './sandbox-profile.ts';

/** @throws `ERR_SANDBOX_PROFILE` with the first place that is wrong */
export function parseSandboxProfile(text: string): SandboxProfile {
  try {
    return SandboxProfileSchema.parse(parse(text));
  } catch (cause) {
    const place = cause instanceof z.ZodError ? (cause.issues[0]?.path.join('.') ?? '') : 'TOML';
    throw new HoldfastError('the sandbox profile does not parse', {
      code: 'ERR_SANDBOX_PROFILE',
      fields: { place },
      cause,
    });
  }
}
