/**
 * A guard that kills itself with -9 at one moment of a command's run: `node command-process.ts <root>
 * <moment>`. A moment is a stage of the sandbox, or `log:<n>`: the n-th write or sync of the audit log
 * since it was ready. Prints `ready`.
 */
import { type LogFiles, systemLogFiles } from '@holdfast/audit';
import { startGuard } from '../src/index.ts';
import { openSite } from './harness.ts';
import { connectPretendSandbox } from './pretend-sandbox.ts';

const [root = '', moment = ''] = process.argv.slice(2);
const die = (): boolean => process.kill(process.pid, 'SIGKILL');
let isArmed = false;
let touches = 0;

const logFiles: LogFiles = {
  ...systemLogFiles,
  open: async (path, mode) => {
    const file = await systemLogFiles.open(path, mode);
    return new Proxy(file, {
      get(target, name): unknown {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          if (isArmed && /write|sync|truncate/i.test(String(name))) {
            touches += 1;
            if (moment === `log:${touches}`) die();
          }
          return (value as (...rest: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  },
};

const site = await openSite(root, null);
const host = Object.create(site.deps.host, {
  platform: { value: { ...site.deps.host.platform, simulated: false } },
}) as typeof site.deps.host;
await startGuard(
  site.config,
  {
    ...site.deps,
    host,
    logFiles,
    connectSandbox: async () =>
      connectPretendSandbox({
        onStage: (stage) => {
          if (stage === moment) die();
        },
      }),
  },
  new AbortController().signal,
);
isArmed = true;
process.stdout.write('ready\n');
