/** One confined run, asked for in the argument; prints a `ConfinedResult`. A process of its own, to be traced as a whole. */
import { openSandbox } from '../client/open-sandbox.ts';
import { type ConfinedRun, runConfined } from './confined-run.ts';

await using sandbox = await openSandbox();
// Written by `learnCommand` of this very release.
const run = JSON.parse(process.argv[2] ?? '{}') as ConfinedRun;
process.stdout.write(JSON.stringify(await runConfined(sandbox, run, new AbortController().signal)));
