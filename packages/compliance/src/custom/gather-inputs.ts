/**
 * Looks at what a custom check declared, and at nothing else, and makes it the plain values the module
 * is shown. What cannot be read stands there with the reason: the module decides what that means.
 */
import type { Json, JsonObject } from '@holdfast/core';
import type { FileReader } from '@holdfast/host';
import type { CheckContext } from '../check.ts';
import { attempt } from '../finding.ts';
import type { CustomCheckInputs } from './declaration.ts';

/** @throws `signal.reason` when `signal` aborted */
export async function gatherInputs(
  inputs: CustomCheckInputs,
  { host, nowMs }: CheckContext,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { files, services, failedServices, sockets, accounts, firewall, platform, time } = inputs;
  const read = async (take: () => Promise<unknown>): Promise<Json> =>
    // Plain values by the contracts of the ports: what JSON makes of them is what they are.
    (await attempt(take, signal)) as unknown as Json;
  const entries = await Promise.all([
    ...(files.length === 0 ? [] : [named('files', readFiles(host.files, files, read, signal))]),
    ...(services.length === 0
      ? []
      : [
          named(
            'services',
            read(() => host.services.show(services, signal)),
          ),
        ]),
    ...(failedServices
      ? [
          named(
            'failedServices',
            read(() => host.services.listFailed(signal)),
          ),
        ]
      : []),
    ...(sockets
      ? [
          named(
            'sockets',
            read(() => host.sockets.list(signal)),
          ),
        ]
      : []),
    ...(accounts
      ? [
          named(
            'accounts',
            read(() => host.accounts.list(signal)),
          ),
        ]
      : []),
    ...(firewall
      ? [
          named(
            'firewall',
            read(() => host.packetFilter.read(signal)),
          ),
        ]
      : []),
    ...(platform
      ? [
          named(
            'platform',
            read(async () => host.platform),
          ),
        ]
      : []),
    ...(time
      ? [
          named(
            'time',
            read(async () => ({ nowMs })),
          ),
        ]
      : []),
  ]);
  return Object.fromEntries(entries);
}

async function named(name: string, value: Promise<Json>): Promise<[string, Json]> {
  return [name, await value];
}

/** Each file by itself, in the order declared: one that cannot be read hides no other. */
async function readFiles(
  reader: FileReader,
  files: CustomCheckInputs['files'],
  read: (take: () => Promise<unknown>) => Promise<Json>,
  signal: AbortSignal,
): Promise<Json> {
  return Promise.all(
    files.map(async ({ path, maxBytes }) => ({
      path,
      ...((await read(async () => {
        const state = await reader.stat(path, signal);
        if (state.kind !== 'file') return { state };
        return { state, ...contentOf(await reader.read(path, maxBytes, signal)) };
      })) as JsonObject), // an `Attempt` is an object
    })),
  );
}

/** Text where it is text. */
function contentOf(bytes: Uint8Array): JsonObject {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') }; // not UTF-8
  }
}
