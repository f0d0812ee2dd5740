/** Runs in a lab host and nowhere else: learns one command, as asked for in its argument, and prints a `LearnReport`. */
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { openSandbox } from '../client/open-sandbox.ts';
import { learnCommand, type LearnRequest } from './learn-command.ts';

/** linux/proc_ns.h: PROC_PID_INIT_INO, the machine's own. */
const INITIAL_PID_NAMESPACE = 'pid:[4026531836]';
const MARKER = '/run/systemd/container';

/** A lab host is booted by systemd-nspawn, and has not the machine's own processes. */
function isLabHost(): boolean {
  return (
    existsSync(MARKER) &&
    readFileSync(MARKER, 'utf8').trim() === 'systemd-nspawn' &&
    readlinkSync('/proc/self/ns/pid') !== INITIAL_PID_NAMESPACE &&
    readlinkSync('/proc/1/ns/pid') === readlinkSync('/proc/self/ns/pid')
  );
}

if (!isLabHost()) throw new Error('commands are learnt in a lab host only');
await using sandbox = await openSandbox();
// Written by `holdfast sandbox learn` of this very release.
const request = JSON.parse(process.argv[2] ?? '{}') as LearnRequest;
const report = await learnCommand(sandbox, request, new AbortController().signal);
process.stdout.write(JSON.stringify(report));
