/** Drills that go wrong, against real processes. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';
import { drillRunbook, parseRunbook } from '../src/index.ts';

const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const { signal } = new AbortController();
const EXAMPLE = readFileSync(join(import.meta.dirname, '../../../examples/runbooks/checkout.md'), 'utf8');
const BEFORE = EXAMPLE.slice(0, EXAMPLE.indexOf('## Enable'));
const AFTER = EXAMPLE.slice(EXAMPLE.indexOf('## Escalation'));

const step = (...lines: string[]) => `\`\`\`yaml step\n${lines.join('\n')}\n\`\`\`\n`;
const probe = (path: string, status: number, within = '5 s') =>
  step(`http-probe: GET ${path}`, `status: ${status}`, `within: ${within}`);
const OK = probe('/', 200);

/** The example with these steps and this program, and what came of the drill. */
async function drill(
  t: TestContext,
  server: string,
  phases: { kill?: string; rollback?: string; probe?: string },
  over: { instance?: string; prepare?: (directory: string) => void; signal?: AbortSignal; timeoutMs?: number } = {},
) {
  const root = temporaryDirectory(t);
  const directory = join(root, 'examples/runbooks/service');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'server.mjs'), server);
  over.prepare?.(directory);
  const sections = `## Kill switch\n\n${phases.kill ?? OK}\n## Rollback\n\n${phases.rollback ?? OK}\n## Probe\n\n${phases.probe ?? ''}\n`;
  const front = over.instance === undefined ? BEFORE : BEFORE.replace(/start: [^]*?```/, `${over.instance}\n\`\`\``);
  const { runbook, problems } = parseRunbook(`${front}${sections}${AFTER}`, 'checkout.md');
  assert.deepEqual(problems, []);
  const options = { root, tools: new Map([['node', process.execPath]]), env: {}, timeoutMs: over.timeoutMs ?? 60_000 };
  const report = await drillRunbook({ clock, onOutput: () => {} }, runbook!, options, over.signal ?? signal);
  return { root, report, seen: report.steps.map(({ observed, passed }) => `${passed ? 'ok' : 'not ok'}: ${observed}`) };
}

const INSTANCE = (within: string) =>
  `start: [node, server.mjs]\ndirectory: examples/runbooks/service\nready: /health\nwithin: ${within}\ngrace: 200 ms`;
/** Answers every path by `answer`, written in JavaScript. */
const serving = (answer: string, before = '') =>
  `import { createServer } from 'node:http';\n${before}\ncreateServer((request, response) => { ${answer} }).listen(process.env.PORT, '127.0.0.1');`;
const GOOD = serving('response.end("ok")');

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); // a zombie runs nothing
  } catch {
    return false;
  }
};

describe('R-30: an instance that fails', () => {
  it('passes when it does not fail', async (t) => {
    const { report, seen } = await drill(t, GOOD, {});
    assert.deepEqual(seen, ['ok: status 200', 'ok: status 200']);
    assert.equal(report.passed, true);
  });

  it('never gets ready', async (t) => {
    const { report, seen } = await drill(
      t,
      serving('response.writeHead(503).end()'),
      {},
      { instance: INSTANCE('1 s') },
    );
    assert.equal(report.passed, false);
    assert.equal(seen[0], 'not ok: not run: the instance did not get ready within 1000 ms');
  });

  it('does not listen at all, and ignores SIGTERM', async (t) => {
    const server = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1_000);";
    const { report } = await drill(t, server, {}, { instance: INSTANCE('500 ms') });
    assert.equal(report.passed, false);
  });

  it('ends at once', async (t) => {
    const { report, seen } = await drill(t, 'process.exit(3);', {});
    assert.equal(report.passed, false);
    assert.equal(seen[0], 'not ok: not run: the instance is gone: it ended with exit code 3');
  });

  it('dies in the middle, and what follows is not passed', async (t) => {
    const server = serving('if (request.url === "/die") process.exit(7); response.end("ok");');
    const { report, seen } = await drill(t, server, { kill: OK + probe('/die', 200, '300 ms') + OK });
    assert.deepEqual(seen.slice(0, 3), [
      'ok: status 200',
      'not ok: the instance is gone: it ended with exit code 7',
      'not ok: not run: the instance is gone: it ended with exit code 7',
    ]);
    assert.equal(report.passed, false);
  });

  it('answers wrongly', async (t) => {
    const { report, seen } = await drill(t, GOOD, { kill: probe('/', 503, '300 ms') });
    assert.equal(seen[0], 'not ok: status 200');
    assert.ok(report.steps[0]!.tookMs >= 300);
    assert.equal(report.passed, false);
  });

  it('answers rightly and too late', async (t) => {
    const server = serving('setTimeout(() => response.end("ok"), request.url === "/health" ? 0 : 2_000);');
    const { report, seen } = await drill(t, server, { kill: probe('/', 200, '300 ms') });
    assert.equal(seen[0], 'not ok: no answer');
    assert.equal(report.passed, false);
  });

  it('sends without end', async (t) => {
    const server = serving(
      'if (request.url === "/health") return response.end(); const send = () => { while (response.write("x".repeat(65536))); }; response.on("drain", send); send();',
    );
    const { report, seen } = await drill(t, server, { kill: probe('/', 200, '1 s') });
    assert.equal(seen[0], 'not ok: no answer');
    assert.equal(report.passed, false);
  });

  it('redirects to somewhere else, which is not followed', async (t) => {
    const server = serving(
      'if (request.url === "/health") return response.end(); response.writeHead(302, { location: "http://192.0.2.1/" }).end();',
    );
    const { seen } = await drill(t, server, { kill: probe('/', 302) });
    assert.equal(seen[0], 'ok: status 302');
  });

  it('leaves descendants behind, in groups of their own: none is left', async (t) => {
    const server = serving(
      'response.end("ok")',
      `import { spawn } from 'node:child_process';
       import { appendFileSync } from 'node:fs';
       const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
       appendFileSync('pids', child.pid + '\\n');`,
    );
    const { root, report } = await drill(t, server, {});
    assert.equal(report.passed, true);
    const pids = readFileSync(join(root, 'examples/runbooks/service/pids'), 'utf8').trim().split('\n').map(Number);
    assert.equal(pids.length, 2);
    assert.deepEqual(pids.filter(isAlive), []);
  });
});

const command = (argv: string, exit = 0, within = '20 s') =>
  step(`command: ${argv}`, `exit: ${exit}`, `within: ${within}`);
const script = (text: string) => (directory: string) => writeFileSync(join(directory, 'run.mjs'), text);

describe('R-30: commands', () => {
  const cases: { name: string; kill: string; prepare: (directory: string) => void; want: string }[] = [
    {
      name: 'the expected exit code passes',
      kill: command('[node, run.mjs]', 4),
      prepare: script('process.exit(4)'),
      want: 'ok: it ended with exit code 4',
    },
    {
      name: 'another does not',
      kill: command('[node, run.mjs]'),
      prepare: script('process.exit(4)'),
      want: 'not ok: it ended with exit code 4',
    },
    {
      name: 'one that does not end is killed',
      kill: command('[node, run.mjs]', 0, '500 ms'),
      prepare: script('setInterval(() => {}, 1000)'),
      want: 'not ok: it did not end in time and was killed',
    },
    {
      name: 'it is told the port',
      kill: command('[node, run.mjs]'),
      prepare: script('process.exit((await fetch(`http://127.0.0.1:${process.env.PORT}/`)).ok ? 0 : 1)'),
      want: 'ok: it ended with exit code 0',
    },
    {
      name: 'it does not get our environment',
      kill: command('[node, run.mjs]'),
      prepare: script('process.exit(process.env.HOME === undefined ? 0 : 1)'),
      want: 'ok: it ended with exit code 0',
    },
    {
      name: 'a program of the system is refused',
      kill: command('[/bin/true]'),
      prepare: () => {},
      want: 'not ok: refused: it does not run a file of the tree',
    },
    {
      name: 'a shell is refused',
      kill: command('[sh, -c, "true"]'),
      prepare: () => {},
      want: 'not ok: refused: it does not run a file of the tree',
    },
    {
      name: 'code in an argument is refused',
      kill: command('[node, -e, "0"]'),
      prepare: () => {},
      want: 'not ok: refused: it does not run a file of the tree',
    },
    {
      name: 'a file out of the tree is refused',
      kill: command('[node, ../../../../run.mjs]'),
      prepare: () => {},
      want: 'not ok: refused: it does not run a file of the tree',
    },
    {
      name: 'a link out of the tree is refused',
      kill: command('[./true]'),
      prepare: (directory) => symlinkSync('/bin/true', join(directory, 'true')),
      want: 'not ok: refused: it does not run a file of the tree',
    },
    {
      name: 'a file that cannot be run fails',
      kill: command('[./run.mjs]'),
      prepare: script('not a program'),
      want: 'not ok: it could not be started',
    },
  ];
  for (const { name, kill, prepare, want } of cases) {
    it(name, async (t) => assert.equal((await drill(t, GOOD, { kill }, { prepare })).seen[0], want));
  }
});

describe('R-30: what counts as passed', () => {
  it('a metric that is not there is not zero', async (t) => {
    const kill = step('metric-query: nothing_total', 'atMost: 5', 'within: 200 ms');
    assert.equal((await drill(t, GOOD, { kill })).seen[0], 'not ok: no such sample');
  });

  it('a rollback that only a person can do is not drilled, so the drill is not passed', async (t) => {
    const { report } = await drill(t, GOOD, { rollback: step('manual: Call the bank.', 'who: mia@shop.example') });
    assert.equal(report.notDrilled.length, 1);
    assert.ok(report.steps.every(({ passed }) => passed));
    assert.equal(report.passed, false);
  });

  it('steps after the time of the whole drill are not passed', async (t) => {
    const { report, seen } = await drill(t, GOOD, {}, { timeoutMs: 0 });
    assert.equal(seen[0], 'not ok: not run: the time of the whole drill is over');
    assert.equal(report.passed, false);
  });

  it('a file that a step wrote is read, and a link out of the tree is not', async (t) => {
    const path = 'examples/runbooks/service';
    const { seen } = await drill(
      t,
      GOOD,
      {
        kill:
          step(`file: ${path}/server.mjs`, 'contains: createServer') +
          step(`file: ${path}/out`) +
          step(`file: ${path}/no`),
      },
      { prepare: (directory) => symlinkSync('/etc/hostname', join(directory, 'out')) },
    );
    assert.match(seen[0]!, /^ok: a file with the text/);
    assert.equal(seen[1], 'not ok: no file of the tree that can be read');
    assert.equal(seen[2], 'not ok: no file of the tree that can be read');
  });
});

it('R-30: an instance that starts no file of the tree is refused', async (t) => {
  const instance = INSTANCE('1 s').replace('[node, server.mjs]', '[sh, -c, "exit 0"]');
  await assert.rejects(drill(t, GOOD, {}, { instance }), { code: 'ERR_RUNBOOK' });
});

it('R-30: an interrupted drill ends with its reason and leaves nothing running', async (t) => {
  const controller = new AbortController();
  const root = temporaryDirectory(t);
  const pidFile = join(root, 'pid');
  const server = serving(
    'response.end("ok")',
    `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));`,
  );
  const running = drill(t, server, { kill: probe('/', 503, '30 s') }, { signal: controller.signal });
  const reason = new Error('enough');
  const watch = setInterval(() => {
    if (!existsSync(pidFile)) return;
    clearInterval(watch);
    controller.abort(reason);
  }, 20);
  await assert.rejects(running, reason);
  assert.equal(isAlive(Number(readFileSync(pidFile, 'utf8'))), false);
});
