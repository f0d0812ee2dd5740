/**
 * What a baseline says about one custom check (C-14): which module, what of the host it is shown, and
 * its budgets. The baseline is signed, so that whoever signs it decides what a module gets to see.
 */
import { z } from 'zod';

const MIB = 1024 * 1024;
/** As many as anyone reads; each is an instance, and all run side by side. */
export const MAX_CUSTOM_CHECKS = 20;
const MAX_CONFIG_BYTES = 16 * 1024;

const ConfigValue: z.ZodType<z.core.util.JSONType> = z.json();

const Inputs = z
  .strictObject({
    /** State and content. */
    files: z
      .array(
        z.strictObject({
          path: z.string().regex(/^\/[^\0]{1,4094}$/),
          maxBytes: z
            .int()
            .min(1)
            .max(MIB / 4)
            .default(64 * 1024),
        }),
      )
      .max(20)
      .default([]),
    /** State of each unit. */
    services: z.array(z.string().min(1).max(255)).max(50).default([]),
    failedServices: z.boolean().default(false),
    sockets: z.boolean().default(false),
    accounts: z.boolean().default(false),
    firewall: z.boolean().default(false),
    platform: z.boolean().default(false),
    /** Wall time; without it the same host gives the same document. */
    time: z.boolean().default(false),
  })
  .readonly();
export type CustomCheckInputs = z.infer<typeof Inputs>;

export const CustomCheckSchema = z.strictObject({
  /** Names the check in findings, evidence and the console; not that of a built-in one. */
  name: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/),
  title: z.string().min(1).max(200),
  /** SHA-256 of the module's bytes. */
  module: z.string().regex(/^[0-9a-f]{64}$/),
  inputs: Inputs.prefault({}),
  /** Handed to the module as it is. */
  config: z
    .record(z.string().max(64), ConfigValue)
    .refine((config) => JSON.stringify(config).length <= MAX_CONFIG_BYTES, 'is larger than 16 KiB')
    .default({}),
  limits: z
    .strictObject({
      /** Units of work: 100 M are some tens of milliseconds. */
      fuel: z.int().min(1).max(10_000_000_000).default(1_000_000_000),
      memoryBytes: z
        .int()
        .min(64 * 1024)
        .max(128 * MIB)
        .multipleOf(64 * 1024)
        .default(32 * MIB),
      /** Wall time of the module; the check as a whole has 10 s (C-06). */
      deadlineMs: z.int().min(10).max(5_000).default(2_000),
    })
    .prefault({}),
});
export type CustomCheck = Readonly<z.infer<typeof CustomCheckSchema>>;
