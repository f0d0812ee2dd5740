/**
 * Entry point of the lab's time source process, which runs in the router's network namespace until
 * it is killed: `sntp-main.ts CONTROL_FILE ADDRESS…`.
 */
import { serveSntp } from './sntp-responder.ts';

const [controlPath, ...addresses] = process.argv.slice(2);
if (controlPath === undefined || addresses.length === 0)
  throw new TypeError('usage: sntp-main.ts CONTROL_FILE ADDRESS…');

await serveSntp({ addresses, port: 123, controlPath }, new AbortController().signal);
