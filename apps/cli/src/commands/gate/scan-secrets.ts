/** `holdfast gate scan secrets`: the tree, all of its history, and tags. */
import { resolve } from 'node:path';
import { openGitRepository, scanSecrets } from '@holdfast/scan';
import type { CommandResult } from '../../output.ts';
import { type ScanOptions, scanResult } from './scan-result.ts';

export async function secrets(options: ScanOptions, signal: AbortSignal): Promise<CommandResult> {
  const repository = await openGitRepository(resolve(options.directory), signal);
  return scanResult(await scanSecrets({ repository }, { nowMs: Date.now() }, signal), options);
}
