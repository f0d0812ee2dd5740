/** Where a module of the command line runs: behind the process sandbox, or, asked for by name, without. */
import { LAYERS_THAT_NEED_ROOT, openSandbox } from '@holdfast/sandbox';
import { plainRunnerHost, type RunnerHost, sandboxRunnerHost } from '@holdfast/wasm-runner';

/**
 * Fails closed: without the wall nothing runs unless a person says so.
 *
 * @throws `ERR_SANDBOX_MISSING`, naming the layer
 */
export async function openRunnerHost(
  options: { readonly processSandbox: boolean },
  maxMemoryBytes: number,
  signal: AbortSignal,
): Promise<RunnerHost & AsyncDisposable> {
  if (!options.processSandbox) {
    process.stderr.write('holdfast: WARNING: no process sandbox: a bug of V8 is all that this module needs\n');
    return { ...plainRunnerHost(maxMemoryBytes), [Symbol.asyncDispose]: async () => undefined };
  }
  const isPlain = process.getuid?.() !== 0;
  if (isPlain)
    process.stderr.write(`holdfast: not root: runs without the layers ${LAYERS_THAT_NEED_ROOT.join(', ')}\n`);
  const sandbox = await openSandbox();
  try {
    const host = await sandboxRunnerHost(sandbox, { maxMemoryBytes, warmSlots: 1, isPlain }, signal);
    return { ...host, [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose]() };
  } catch (error) {
    await sandbox[Symbol.asyncDispose]();
    throw error;
  }
}
