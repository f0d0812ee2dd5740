/** `holdfast gate publish`: the records to the control plane, which verifies them and shows board, people and dates (W-09). */
import { readFileSync } from 'node:fs';
import { GateIdSchema, MAX_GATE_BUNDLE_BYTES } from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { encodeBase64 } from '@holdfast/crypto';
import { exportBundle, parsePins } from '@holdfast/gate';
import { z } from 'zod';
import { openOperatorClient, readEndpoint } from '../../operator-client.ts';
import type { CommandResult } from '../../output.ts';
import { type GateOptions, openGate } from './opened-gate.ts';

interface PublishOptions extends GateOptions {
  readonly state: string;
  readonly keys?: string | undefined;
}

export async function publish(options: PublishOptions, signal: AbortSignal): Promise<CommandResult> {
  const { log } = await openGate(options, signal);
  const bytes = await exportBundle(log);
  if (bytes.length > MAX_GATE_BUNDLE_BYTES)
    throw new HoldfastError('the bundle is too large for the control plane: keep it with `holdfast gate export`', {
      code: 'ERR_INPUT_INVALID',
      fields: { bytes: bytes.length, maximum: MAX_GATE_BUNDLE_BYTES },
    });
  const pins = options.keys === undefined ? null : parsePins(readPins(options.keys));
  const client = openOperatorClient(options.state, process.env, signal);
  const answer = z.object({ gate: GateIdSchema });
  const { gate } = await client.post('/gates', { bundle: encodeBase64(bytes), pins }, answer);
  const address = new URL(`/gates/${gate}`, readEndpoint(options.state, process.env)).href;
  return {
    data: { gate, records: log.head.size, address },
    text: `${log.head.size} records are published: ${address}`,
  };
}

function readPins(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('the pins cannot be read: `holdfast gate pins <file>` writes them', {
      code: 'ERR_INPUT_INVALID',
      fields: { file },
      cause,
    });
  }
}
