/** The shape of a gate file as JSON Schema (draft 2020-12), for editors that complete and check YAML. */
import { z } from 'zod';
import { GateSchema } from './gate-schema.ts';

/** What defaults fill in may be left out. Rules beyond the shape are `lintGate`'s. */
export function gateJsonSchema(): Record<string, unknown> {
  return { title: 'Release gate', ...z.toJSONSchema(GateSchema, { io: 'input', unrepresentable: 'any' }) };
}
