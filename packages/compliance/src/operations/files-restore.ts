/**
 * Puts a file of the baseline back: content, owner and mode, atomically (C-23). Revert restores what
 * stood there exactly, or removes what did not.
 */
import type { Operation } from '@holdfast/change';
import { HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { FileState, Host } from '@holdfast/host';
import { z } from 'zod';
import type { Baseline } from '../baseline.ts';
import { type FileEntry, files, inlineContent } from '../checks/files.ts';
import { AbsolutePath, Mode } from '../values.ts';
import { type ComplianceOperationDeps, notInBaseline, requireExpectation } from './deps.ts';

/** What stood there is kept for revert in the journal: beyond this it is left to a person. */
const MAX_CAPTURED_BYTES = 4 * 1024 * 1024;

const Params = z.strictObject({ path: AbsolutePath });
const Captured = z.strictObject({
  path: AbsolutePath,
  /** `null`: there was nothing. */
  previous: z.strictObject({ base64: z.base64(), mode: Mode, uid: z.int().min(0), gid: z.int().min(0) }).nullable(),
});

export function filesRestore(
  baseline: Baseline | null,
  { blobs }: Pick<ComplianceOperationDeps, 'blobs'>,
): Operation<z.infer<typeof Params>, z.infer<typeof Captured>> {
  const entryFor = (path: string): FileEntry => {
    const entry = requireExpectation(baseline, files).entries.find((candidate) => candidate.path === path);
    if (entry === undefined) throw notInBaseline('this path');
    return entry;
  };

  /** The bytes with the digest of the baseline: from the host when it still has them, the baseline, or the stored copies. */
  const contentFor = async (
    entry: FileEntry,
    host: Host,
    state: FileState,
    signal: AbortSignal,
  ): Promise<Uint8Array> => {
    const content =
      inlineContent(entry) ??
      (state.kind === 'file' && state.sha256 === entry.sha256 && state.sizeBytes <= MAX_CAPTURED_BYTES
        ? await host.files.read(entry.path, MAX_CAPTURED_BYTES, signal)
        : await blobs(entry.sha256, signal));
    if (content !== null && sha256Hex(content) === entry.sha256) return content;
    throw new HoldfastError('there is no copy of the file with the digest of the baseline', {
      code: 'ERR_RESTORE_SOURCE_MISSING',
      fields: { path: entry.path },
    });
  };

  return {
    name: 'files.restore',
    params: Params,
    captured: Captured,
    disruptive: false,
    resources: ({ path }) => [`file:${path}`],

    async capture({ path }, host, signal) {
      const state = replaceable(await host.files.stat(entryFor(path).path, signal));
      if (state.kind === 'missing') return { path, previous: null };
      const bytes = await host.files.read(path, MAX_CAPTURED_BYTES, signal);
      const base64 = Buffer.from(bytes).toString('base64');
      return { path, previous: { base64, mode: state.mode, uid: state.uid, gid: state.gid } };
    },

    async plan({ path }, host, signal) {
      const entry = entryFor(path);
      const state = replaceable(await host.files.stat(path, signal));
      const wrong = differences(entry, state);
      if (wrong.length === 0) return []; // P-16
      await contentFor(entry, host, state, signal); // a plan that cannot be carried out is refused now
      return [{ action: `restore ${path}`, detail: { differs: wrong } }];
    },

    async apply({ path }, host, signal) {
      const entry = entryFor(path);
      const state = replaceable(await host.files.stat(path, signal));
      if (differences(entry, state).length === 0) return;
      const bytes = await contentFor(entry, host, state, signal);
      await host.files.write(path, { bytes, mode: entry.mode, uid: entry.uid, gid: entry.gid }, signal);
    },

    async verify({ path }, host, signal) {
      const wrong = differences(entryFor(path), await host.files.stat(path, signal));
      if (wrong.length === 0) return { ok: true, reasons: [`${path} has the content, owner and mode of the baseline`] };
      return { ok: false, reasons: [`${wrong.join(', ')} of ${path} differs from the baseline`] };
    },

    async revert({ path, previous }, host, signal) {
      if (previous === null) {
        await host.files.remove(path, signal);
        return;
      }
      const bytes = new Uint8Array(Buffer.from(previous.base64, 'base64'));
      const was = { sha256: sha256Hex(bytes), mode: previous.mode, uid: previous.uid, gid: previous.gid };
      if (differences(was, await host.files.stat(path, signal)).length === 0) return;
      await host.files.write(path, { bytes, mode: previous.mode, uid: previous.uid, gid: previous.gid }, signal);
    },
  };
}

/** @throws `ERR_RESTORE_TARGET_UNSUITABLE` for what could not be put back exactly */
function replaceable(state: FileState): FileState {
  if (state.kind === 'missing') return state;
  if (state.kind === 'file' && state.sizeBytes <= MAX_CAPTURED_BYTES) return state;
  throw new HoldfastError('what stands at the path cannot be replaced', {
    code: 'ERR_RESTORE_TARGET_UNSUITABLE',
    fields: { path: state.path, kind: state.kind },
  });
}

function differences(wanted: Pick<FileEntry, 'sha256' | 'mode' | 'uid' | 'gid'>, state: FileState): string[] {
  if (state.kind !== 'file') return ['kind'];
  return (['sha256', 'mode', 'uid', 'gid'] as const).filter((attribute) => wanted[attribute] !== state[attribute]);
}
