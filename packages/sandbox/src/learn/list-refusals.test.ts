import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RefusalObserver } from './list-refusals.ts';
import { observeTrace } from './observe-trace.ts';
import { TraceReader, type TraceEvent } from './read-trace.ts';

function read(lines: readonly string[]): readonly TraceEvent[] {
  const reader = new TraceReader();
  return lines.map((line) => reader.read(line)).filter((event) => event !== undefined);
}

const UNCONFINED = read([
  '10 execve("/usr/bin/x", [...], 0x1) = 0',
  '10 openat(-100</>, "/etc/app", 0) = 3</etc/app>',
  '10 mlockall(0x1) = 0',
  '10 openat(-100</>, "/etc/none", 0) = -1 ENOENT (No such file or directory)',
]);

describe('RefusalObserver', () => {
  const cases: { name: string; lines: string[]; refusals: string[] }[] = [
    {
      name: 'names a file that was there without the sandbox',
      lines: [
        '20 execve("/usr/bin/x", [...], 0x1) = 0',
        '20 openat(-100</>, "/etc/app", 0) = -1 ENOENT (No such file or directory)',
      ],
      refusals: ['openat /etc/app: ENOENT'],
    },
    {
      name: 'leaves out what had failed without it as well',
      lines: [
        '20 execve("/usr/bin/x", [...], 0x1) = 0',
        '20 openat(-100</>, "/etc/none", 0) = -1 ENOENT (No such file or directory)',
      ],
      refusals: [],
    },
    {
      name: 'names a call that the filter refused',
      lines: ['20 execve("/usr/bin/x", [...], 0x1) = 0', '20 mlockall(0x1) = -1 EPERM (Operation not permitted)'],
      refusals: ['the system call mlockall: EPERM'],
    },
    {
      name: 'leaves out what the sandbox itself does',
      lines: ['20 mlockall(0x1) = -1 EPERM (Operation not permitted)', '21 execve("/usr/bin/x", [...], 0x1) = 0'],
      refusals: [],
    },
    {
      name: 'follows the children of the command, whose numbers are those of another namespace',
      lines: [
        '20 execve("/usr/bin/x", [...], 0x1) = 0',
        '20 vfork( <unfinished ...>',
        '25 mlockall(0x1) = -1 EPERM (Operation not permitted)',
        '20 <... vfork resumed>) = 3',
      ],
      refusals: ['the system call mlockall: EPERM'],
    },
    {
      name: 'says that the program itself was refused',
      lines: ['20 execve("/usr/bin/x", [...], 0x1) = -1 EACCES (Permission denied)'],
      refusals: ['execve /usr/bin/x: EACCES'],
    },
  ];
  for (const { name, lines, refusals } of cases) {
    it(`X-08: ${name}`, () => {
      const observer = new RefusalObserver('/usr/bin/x', observeTrace(UNCONFINED, '/'));
      for (const event of read(lines)) observer.observe(event);
      assert.deepEqual(observer.list(), refusals);
    });
  }
});
