/** A guard as a process of its own, for tests that kill it: `node guard-process.ts <root>`. Prints `ready`. */
import { startGuard } from '../src/index.ts';
import { openSite } from './harness.ts';

const site = await openSite(process.argv[2]!, null);
await startGuard(site.config, site.deps, new AbortController().signal);
process.stdout.write('ready\n');
