/** Where a module of the command line runs: behind the process sandbox, or, asked for by name, without. */
import { HoldfastError } from '@holdfast/core';
import { plainRunnerHost, type RunnerHost } from '@holdfast/wasm-runner';

/**
 * Fails closed: without the wall nothing runs unless a person says so.
 *
 * @throws `ERR_SANDBOX_MISSING`, `ERR_CLI_NEEDS_ROOT`
 */
export async function openRunnerHost(
  options: { readonly processSandbox: boolean },
  maxMemoryBytes: number,
  _signal: AbortSignal,
): Promise<RunnerHost & AsyncDisposable> {
  if (!options.processSandbox) {
    process.stderr.write('holdfast: WARNING: no process sandbox: a bug of V8 is all that this module needs\n');
    return { ...plainRunnerHost(maxMemoryBytes), [Symbol.asyncDispose]: async () => undefined };
  }
  throw new HoldfastError('the process sandbox is not available', { code: 'ERR_SANDBOX_MISSING' });
}
