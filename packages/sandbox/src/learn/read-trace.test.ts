import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { TraceReader, type TraceEvent } from './read-trace.ts';
import { numberOf, parseTraceCall, pathOf, textOf } from './trace-text.ts';

function read(...lines: readonly string[]): readonly TraceEvent[] {
  const reader = new TraceReader();
  return lines.map((line) => reader.read(line)).filter((event) => event !== undefined);
}

describe('parseTraceCall', () => {
  const cases: {
    name: string;
    text: string;
    path?: string;
    numbers?: (bigint | undefined)[];
    of?: string;
    error?: string;
  }[] = [
    {
      name: 'reads an opened file with its flags and where it really is',
      text: 'openat(-100</srv/w>, "a", 0x80241, 0666) = 3</srv/w/a>',
      numbers: [BigInt.asUintN(64, -100n), undefined, 0x80241n, 0o666n],
      path: 'a',
      of: '/srv/w/a',
    },
    {
      name: 'decodes the escapes of a hostile name, in the argument and in the descriptor',
      text: String.raw`openat(-100</srv>, "we<i>rd \"n\1\303\251\n) = 0", 0x0) = 3</srv/we\74i\76rd \"n\1\303\251\n) = 0>`,
      path: 'we<i>rd "n\u0001é\n) = 0',
      of: '/srv/we<i>rd "n\u0001é\n) = 0',
    },
    {
      name: 'takes bytes that are no UTF-8 for U+FFFD',
      text: String.raw`openat(-100</srv>, "\377\x41", 0) = -1 ENOENT (No such file or directory)`,
      path: '\uFFFDA',
      error: 'ENOENT',
    },
    {
      name: 'tells a device from its description',
      text: 'openat(-100</>, "/dev/null", 0x2) = 4</dev/null<char 1:3>>',
      path: '/dev/null',
      of: '/dev/null',
    },
    {
      name: 'joins the flags of a socket',
      text: 'socket(0x2, 0x1|0x80000, 0x6) = 3<TCP:[1]>',
      numbers: [2n, 0x80001n, 6n],
    },
    {
      name: 'reads named arguments and remarks',
      text: 'clone(child_stack=NULL, flags=0x1200000|17, child_tidptr=0x7f8b05d95590) = 18440',
      numbers: [0n, 0x1200011n, 0x7f8b05d95590n],
    },
    {
      name: 'skips comments',
      text: 'execve("/bin/true", [...], 0x7fff /* 35 vars */) = 0',
      numbers: [undefined, 1n, 0x7fffn],
    },
    {
      name: 'reads structures with arrows',
      text: 'getsockname(3<TCP:[1.2.3.4:5->6.7.8.9:10]>, {sa_family=0x1}, [128 => 2]) = 0',
    },
    {
      name: 'reads complements and expressions',
      text: 'wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, ~[32 33]) = 7',
    },
    { name: 'reads a call in which the process ended', text: 'exit_group(0)                     = ?' },
  ];
  for (const { name, text, path, numbers, of, error } of cases) {
    it(`X-08: ${name}`, () => {
      const call = parseTraceCall(text);
      assert.ok(call !== undefined);
      if (path !== undefined) assert.ok(call.args.some((argument) => textOf(argument) === path));
      if (numbers !== undefined) {
        const known = call.args.map(numberOf);
        assert.deepEqual(known.slice(0, numbers.length), numbers);
      }
      if (of !== undefined) assert.equal(pathOf(call.resultOf), of);
      assert.equal(call.error, error);
    });
  }

  for (const text of [
    '',
    'read(',
    'read(3',
    'read(3)',
    'read(3) = ',
    'openat(-100, "a',
    '= 0',
    `f(${'['.repeat(500)}`,
  ]) {
    it(`X-08: takes ${JSON.stringify(text.slice(0, 20))} for no call`, () =>
      assert.equal(parseTraceCall(text), undefined));
  }

  it('X-08: never throws, whatever the text', () => {
    const piece = fc.constantFrom(
      '(',
      ')',
      '{',
      '}',
      '[',
      ']',
      '<',
      '>',
      '"',
      '\\',
      ',',
      '=',
      '->',
      ' ',
      '0x1',
      'NULL',
      '...',
      '/*',
      '*/',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 4 })), { maxLength: 40 }), (pieces) => {
        parseTraceCall(`call(${pieces.join('')}`);
        new TraceReader().read(`1 ${pieces.join('')}`);
      }),
    );
  });
});

describe('TraceReader', () => {
  it('X-08: puts the two parts of an interrupted call together', () => {
    const events = read(
      '10 wait4(11,  <unfinished ...>',
      '11 close(3</etc/hosts>)                = 0',
      '10 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11',
    );
    assert.deepEqual(
      events.map((event) => (event.kind === 'call' ? [event.pid, event.call.name, event.call.result] : event.kind)),
      ['begun', [11, 'close', 0n], [10, 'wait4', 11n]],
    );
  });

  it('X-08: is not fooled by a name that looks like an interruption', () => {
    const [event] = read('10 unlink("x <unfinished ...>") = 0');
    assert.equal(event?.kind, 'call');
  });

  it('X-08: tells exits from signals, and leaves delivered signals out', () => {
    assert.deepEqual(
      read(
        '10 --- SIGCHLD {si_signo=17, si_pid=11} ---',
        '11 +++ exited with 3 +++',
        '10 +++ killed by SIGSEGV (core dumped) +++',
      ),
      [
        { kind: 'ended', pid: 11, ending: { exitCode: 3 } },
        { kind: 'ended', pid: 10, ending: { signal: 'SIGSEGV' } },
      ],
    );
  });

  for (const [name, line] of [
    ['half a line', '10 openat(-100</srv>, "a'],
    ['a line without a process', 'openat(-100, "a", 0) = 3'],
    ['the end of a call that never began', '10 <... read resumed>"", 1) = 0'],
    ['an unknown ending', '10 +++ went away +++'],
    ['a line that is too long', `10 unlink("${'a'.repeat(100_000)}") = 0`],
  ] as const) {
    it(`X-08: counts ${name} as damaged`, () => assert.deepEqual(read(line), [{ kind: 'damaged' }]));
  }
});
