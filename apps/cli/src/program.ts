/** The whole command line: names, options and help. The commands themselves are loaded only when they run. */
import { Command } from '@commander-js/extra-typings';
import { run } from './run.ts';
import { addSandbox } from './sandbox-program.ts';
import { defaultStateDirectory } from './server-state.ts';

const VERSION = '0.1.0';

const JSON_FLAG = ['--json', 'print JSON instead of text'] as const;
const ROOT = ['--root <directory>', 'root of the host: /, or the directory of a simulated one', '/'] as const;
const STATE_FLAG = [
  '--state <directory>',
  'state directory of the control plane on this machine',
  defaultStateDirectory(process.cwd()),
] as const;
const collect = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text];
const number = (text: string): number => Number.parseInt(text, 10);

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

export function createProgram(signal: AbortSignal): Command {
  const program = new Command('holdfast')
    .description('Keeps Linux hosts in a known-good state, fails closed, and proves it.')
    .version(VERSION)
    .enablePositionalOptions()
    .showHelpAfterError('Run it with --help to see what it takes.')
    .addHelpText(
      'after',
      examples(
        'holdfast up --demo',
        'holdfast status',
        'holdfast lab break firewall',
        'holdfast evidence verify ./kit',
      ),
    );
  addServices(program, signal);
  addServer(program, signal);
  addHost(program, signal);
  addEvidence(program, signal);
  addAudit(program, signal);
  addBaseline(program, signal);
  addPolicy(program, signal);
  addSandbox(program, signal);
  addWasm(program, signal);
  addLab(program, signal);
  return program;
}

function addServices(program: Command, signal: AbortSignal): void {
  program
    .command('up')
    .description(
      'Run control plane, guard and agent on this machine until Ctrl-C; with --demo also lab hosts that drift and heal',
    )
    .option('--demo', 'lab hosts instead of this machine, broken and healed before your eyes')
    .option('--hosts <number>', 'how many lab hosts the demo has', number, 3)
    .option('--simulated', 'simulated hosts, even where real ones are possible')
    .option('--no-drift', 'demo hosts without injected drift')
    .option('--heal', 'let the guard change this machine when it drifts (without it: observe and alert)')
    .option('--port <number>', 'port of the console on 127.0.0.1', number, 7070)
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast up --demo', 'holdfast up --demo --hosts 5 --no-drift'))
    .action((options) => run(options, signal, async () => (await import('./commands/up.ts')).up(options, signal)));
  program
    .command('guard')
    .description('Run the guard of this host until SIGTERM (as root; started by its systemd unit)')
    .option(...ROOT)
    .option('--recover', 'end unfinished changes and exit, if no guard is running')
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/guard.ts')).guard(options, signal)),
    );
  program
    .command('agent')
    .description('Run the agent of this host until SIGTERM (unprivileged; started by its systemd unit)')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/agent.ts')).agent(options, signal)),
    );
}

function addServer(program: Command, signal: AbortSignal): void {
  const server = program.command('server').description('Run the control plane, or look after it');
  server
    .command('run', { isDefault: true })
    .description('Run the control plane until SIGTERM; with DATABASE_URL on your PostgreSQL, else on an embedded one')
    .option(...STATE_FLAG)
    .option('--console-listen <address:port>', 'where the console and API listen', '127.0.0.1:7070')
    .option('--agent-listen <address:port>', 'where hosts connect (mutual TLS 1.3)', '0.0.0.0:7443')
    .option('--public-name <names>', 'comma-separated names and addresses for the server certificate', '')
    .option('--tls-cert <file>', 'certificate of the console, needed to listen beyond loopback')
    .option('--tls-key <file>', 'key of that certificate')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      examples('holdfast server --state /var/lib/holdfast/server --public-name holdfast.example.org'),
    )
    .action((options) =>
      run(options, signal, async () => (await import('./commands/server.ts')).serve(options, signal)),
    );
  server
    .command('login')
    .description('Print a sign-in link that works once')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/server.ts')).login(options, signal)),
    );
  server
    .command('token')
    .description('Create a one-time enrolment token for one host')
    .option(...STATE_FLAG)
    .option('--ttl <seconds>', 'how long it is good', number, 3_600)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/server.ts')).token(options, signal)),
    );
  server
    .command('trust')
    .description('Print the keys to pin, to compare with what the console pinned')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/server.ts')).trust(options, signal)),
    );
  server
    .command('verify')
    .description('Re-verify every stored bundle against its signature, its columns and the transparency log')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/server.ts')).verify(options, signal)),
    );
}

function addHost(program: Command, signal: AbortSignal): void {
  program
    .command('enroll')
    .description('Give this host an identity at a control plane, with a one-time token (as root)')
    .requiredOption('--server <url>', 'https address of the control plane for hosts')
    .option('--token <token>', 'the token; visible to other users of this machine while the command runs')
    .option('--token-file <file>', 'read the token from this file instead; - is standard input')
    .option('--name <name>', 'name of the host; its host name by default')
    .option('--label <key=value...>', 'labels of the host')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast enroll --server https://holdfast.example.org:7443 --token-file -'))
    .action((options) =>
      run(options, signal, async () => (await import('./commands/enroll.ts')).enroll(options, signal)),
    );
  program
    .command('status')
    .description('This host’s guard and agent, or every host when a control plane runs here')
    .option(...ROOT)
    .option(...STATE_FLAG)
    .option('--host', 'this host only, even when a control plane runs here')
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/status.ts')).status(options, signal)),
    );
  program
    .command('drift')
    .description('Run every check now and show what differs from the baseline; exit code 1 when something does')
    .argument('[checks...]', 'only these checks')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast drift', 'holdfast drift firewall files --json'))
    .action((checks, options) =>
      run(options, signal, async () => (await import('./commands/drift.ts')).drift(checks, options, signal)),
    );
  program
    .command('heal')
    .description('Ask the guard to mend what a check found')
    .argument('<check>', 'the check whose findings to mend')
    .option('--dry-run', 'show the steps only; never counted as a fix')
    .option('--reason <text>', 'why; kept in evidence')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast heal firewall --dry-run', 'holdfast heal services'))
    .action((check, options) =>
      run(options, signal, async () => (await import('./commands/heal.ts')).heal(check, options, signal)),
    );
  program
    .command('exec')
    .description('Run a command that the policy of this host declares, in its sandbox; ends with its exit code')
    .argument('[name]', 'the command, with or without `exec.`')
    .argument('[params...]', 'its parameters: key=value, or key:=json for a number')
    .option('--list', 'show the declared commands')
    .option('--dry-run', 'show the argv that would run, and run nothing')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast exec --list', 'holdfast exec backup what=/srv/data'))
    .action((name, params, options) =>
      run(options, signal, async () => (await import('./commands/exec.ts')).exec(name, params, options, signal)),
    );
  program
    .command('unfreeze')
    .description('Free this host after a change that could not be reverted (as root, once you have looked)')
    .requiredOption('--reason <text>', 'what was found and done, 20 characters or more; kept in evidence')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples("holdfast unfreeze --reason 'disk replaced, /etc/nftables.conf checked by hand'"))
    .action((options) =>
      run(options, signal, async () => (await import('./commands/unfreeze.ts')).unfreeze(options, signal)),
    );
  program
    .command('doctor')
    .description('Show every layer of this host’s protection as active, degraded or missing, with the fix')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/doctor.ts')).doctor(options, signal)),
    );
}

function addEvidence(program: Command, signal: AbortSignal): void {
  const evidence = program.command('evidence').description('Look at and verify sealed evidence');
  evidence
    .command('list')
    .description('Bundles on this host, newest first')
    .option('--check <name>', 'only of this check')
    .option('--outcome <outcome>', 'only with this outcome')
    .option('--since <instant>', 'only started at or after this ISO 8601 time')
    .option('--limit <number>', 'at most this many', number, 20)
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('./commands/evidence.ts')).list(options)));
  evidence
    .command('show')
    .description('One bundle, as it was signed')
    .argument('<bundle>', 'bundle id')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((bundle, options) =>
      run(options, signal, async () => (await import('./commands/evidence.ts')).show(bundle, options)),
    );
  evidence
    .command('verify')
    .description('Verify a bundle, a folder of bundles or an auditor kit, offline')
    .argument('[path]', 'file, folder or kit; this host’s evidence by default')
    .option(
      '--key <file>',
      'public key of a host to verify with (PEM), as often as needed; by default this host’s own, for a kit those in it',
      collect,
    )
    .option('--log-key <key>', 'verifier key of the log that a kit must be of, as `holdfast server trust` prints it')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      examples(
        'holdfast evidence verify',
        'holdfast evidence verify bundle.dsse.json --key host.pem',
        'holdfast evidence verify ./kit',
      ),
    )
    .action((path, options) =>
      run(options, signal, async () => (await import('./commands/evidence.ts')).verify(path, options)),
    );
  evidence
    .command('kit')
    .description('Write an auditor kit of what the control plane holds: bundles, proofs, checkpoint and keys')
    .requiredOption('--out <directory>', 'where to write; new or empty')
    .option('--host <name>', 'only of this host, by name or id')
    .option('--check <name>', 'only of this check')
    .option('--since <instant>', 'only started at or after this ISO 8601 time')
    .option('--until <instant>', 'only started before this ISO 8601 time')
    .option('--limit <number>', 'refuse when more bundles match than this', number, 10_000)
    .option('--tree-size <number>', 'prove against the signed checkpoint of this size instead of the newest', number)
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast evidence kit --host web-1 --since 2026-01-01T00:00:00.000Z --out ./kit'))
    .action((options) =>
      run(options, signal, async () => (await import('./commands/evidence-kit.ts')).kit(options, signal)),
    );
  evidence
    .command('export')
    .description('Write a bundle, or with --detached what openssl alone can verify, to a directory')
    .argument('<bundle>', 'bundle id')
    .requiredOption('--out <directory>', 'where to write')
    .option('--detached', 'signed bytes, raw 64-byte signature and public key as separate files')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((bundle, options) =>
      run(options, signal, async () => (await import('./commands/evidence.ts')).exportBundle(bundle, options)),
    );
}

function addAudit(program: Command, signal: AbortSignal): void {
  const audit = program.command('audit').description('Look at and verify this host’s audit log (as root)');
  audit
    .command('verify')
    .description('Recompute the whole chain from bytes')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('./commands/audit.ts')).verify(options)));
  audit
    .command('tail')
    .description('The newest records, oldest of them first')
    .option('--limit <number>', 'how many', number, 20)
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('./commands/audit.ts')).tail(options, signal)));
  audit
    .command('show')
    .description('One record, whole')
    .argument('<seq>', 'its sequence number', number)
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((seq, options) =>
      run(options, signal, async () => (await import('./commands/audit.ts')).show(seq, options, signal)),
    );
}

function addBaseline(program: Command, signal: AbortSignal): void {
  const baseline = program.command('baseline').description('Capture, sign and compare baselines');
  baseline
    .command('capture')
    .description(
      'Write this host as it is now as a baseline (YAML, as root): firewall, ports, accounts, logging, and what you name',
    )
    .option('--name <name>', 'name of the baseline', 'captured')
    .option('--unit <unit...>', 'systemd units that must be active')
    .option('--logging-unit <unit...>', 'units that make up logging; systemd-journald.service by default')
    .option('--file <path...>', 'files whose content, owner and mode to keep')
    .option('--certificate <path...>', 'certificates to watch')
    .option('--certificate-port <address:port...>', 'TLS services whose certificate to watch')
    .option('--time-source <address...>', 'three to five SNTP servers to compare the clock with')
    .option('--heal', 'let the guard mend drift by itself (without it a person is asked)')
    .option('--out <file>', 'where to write; standard output by default')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      examples(
        'holdfast baseline capture --unit nginx.service --file /etc/nginx/nginx.conf --heal --out baseline.yaml',
      ),
    )
    .action((options) =>
      run(options, signal, async () => (await import('./commands/baseline.ts')).capture(options, signal)),
    );
  baseline
    .command('sign')
    .description('Sign a baseline, with the key of the control plane on this machine unless another is given')
    .argument('<file>', 'the YAML file')
    .requiredOption('--out <file>', 'where to write the signed baseline')
    .option('--key <file>', 'private key that hosts pinned for baselines')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((file, options) =>
      run(options, signal, async () => (await import('./commands/baseline.ts')).sign(file, options)),
    );
  baseline
    .command('install')
    .description('Verify a signed baseline and put it in force on this host (as root)')
    .argument('<file>', 'the signed baseline')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((file, options) =>
      run(options, signal, async () => (await import('./commands/baseline.ts')).install(file, options)),
    );
  baseline
    .command('show')
    .description('The baseline this host holds, if it verifies')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('./commands/baseline.ts')).show(options)));
  baseline
    .command('diff')
    .description('What two baselines expect differently; exit code 1 when they differ')
    .argument('<a>', 'YAML file')
    .argument('<b>', 'YAML file')
    .option(...JSON_FLAG)
    .action((a, b, options) => run(options, signal, async () => (await import('./commands/baseline.ts')).diff(a, b)));
}

function addPolicy(program: Command, signal: AbortSignal): void {
  const policy = program.command('policy').description('Write and check the policy of a guard');
  policy
    .command('default')
    .description('Print the policy a host starts with')
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('./commands/policy.ts')).printDefault()));
  policy
    .command('lint')
    .description('Every problem of a policy, by place and severity; exit code 1 when it would not load')
    .argument('<files...>', 'policy.toml, and the files of policy.d in their order')
    .option(...JSON_FLAG)
    .action((files, options) => run(options, signal, async () => (await import('./commands/policy.ts')).lint(files)));
}

function addWasm(program: Command, signal: AbortSignal): void {
  const check = program.command('check').description('Try and sign custom checks, which are WebAssembly modules');
  check
    .command('sign')
    .description(
      'Sign the module of a custom check, with the key of the control plane on this machine unless another is given',
    )
    .argument('<module>', 'the .wasm file')
    .requiredOption('--out-dir <directory>', 'where to write the signed module, under its digest')
    .option('--key <file>', 'private key that hosts pinned for baselines')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((file, options) =>
      run(options, signal, async () => (await import('./commands/check.ts')).sign(file, options)),
    );
  check
    .command('test')
    .description('Run one custom check with this module on this host; nothing has to be signed, and nothing is sealed')
    .argument('<module>', 'the .wasm file')
    .requiredOption('--baseline <file>', 'YAML that declares the check: its inputs, config and limits')
    .requiredOption('--name <name>', 'name of the check in it')
    .option('--no-process-sandbox', 'without the process around WebAssembly: only for modules of your own')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((file, options) =>
      run(options, signal, async () => (await import('./commands/check.ts')).test(file, options, signal)),
    );

  const wasm = program
    .command('wasm')
    .enablePositionalOptions()
    .description('Run untrusted WebAssembly (WASI preview 1), confined and metered');
  wasm
    .command('run')
    .description(
      'Run a module; ends with its exit code, or 124 at the deadline, 152 without fuel, 137 for memory, 134 for a trap, 153 for output',
    )
    .argument('<module>', 'the .wasm file; - is standard input')
    .argument('[args...]', 'its arguments')
    .passThroughOptions()
    .option('--fuel <units>', 'work it may do: about one unit an instruction', '10000000000')
    .option('--deadline <duration>', 'wall time after which it is killed', '30s')
    .option('--memory <size>', 'linear memory it may have', '128MiB')
    .option('--dir <host::guest>', 'a directory it sees, read-only; with :cow behind it a copy it may change', collect)
    .option('--env <name=value>', 'a variable of its environment, as often as needed', collect)
    .option('--stdin <file>', 'its standard input; - is this command’s')
    .option('--entry <name>', 'the exported function to call instead of _start')
    .option('--deterministic', 'the same result every time: time from fuel, seeded randomness')
    .option('--seed <hex>', 'seed of its randomness')
    .option('--commit', 'write changes of :cow directories back when it ends with 0')
    .option('--usage', 'print what it used to standard error')
    .option('--no-process-sandbox', 'for development only: without the wall around V8')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      examples(
        'holdfast wasm run hello.wasm',
        'holdfast wasm run --dir ./data::/data --deadline 2s --usage count.wasm -- /data',
      ),
    )
    .action((file, args, options) =>
      run(options, signal, async () => (await import('./commands/wasm.ts')).runModule(file, args, options, signal)),
    );
  wasm
    .command('inspect')
    .description('What a module imports, exports and needs, or why it is refused; nothing of it runs')
    .argument('<module>', 'the .wasm file; - is standard input')
    .option(...JSON_FLAG)
    .action((file, options) => run(options, signal, async () => (await import('./commands/wasm.ts')).inspect(file)));
}

function addLab(program: Command, signal: AbortSignal): void {
  const checks = 'firewall, services, logging, files, ports, accounts, time_sync, certificates';
  const lab = program
    .command('lab')
    .enablePositionalOptions()
    .description('Real multi-host test beds on one machine, made of Linux namespaces');
  lab
    .command('up')
    .description('Build lab hosts; with a control plane running here they are enrolled as well')
    .option('--hosts <number>', 'how many', number, 3)
    .option('--simulated', 'simulated hosts, even where real ones are possible')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('./commands/lab.ts')).up(options, signal)));
  lab
    .command('down')
    .description('Remove every lab host and everything that belonged to it')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('./commands/lab.ts')).down(options)));
  lab
    .command('status')
    .description('State, address and injected drift of every lab host')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('./commands/lab.ts')).status(options, signal)));
  lab
    .command('break')
    .description('Make a lab host drift, for real')
    .argument('<check>', checks)
    .option('--on <host>', 'which host; the first by default')
    .option('--seed <number>', 'which of the ways to break it', number, 1)
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast lab break firewall', 'holdfast lab break files --on web-2 --seed 3'))
    .action((check, options) =>
      run(options, signal, async () => (await import('./commands/lab.ts')).breakCheck(check, options, signal)),
    );
  lab
    .command('mend')
    .description('Put back what the drift generator broke')
    .argument('<check>', checks)
    .option('--on <host>', 'which host; the first by default')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((check, options) =>
      run(options, signal, async () => (await import('./commands/lab.ts')).mend(check, options, signal)),
    );
  lab
    .command('exec')
    .description('Run a program as root inside a lab host')
    .argument('<host>', 'which host')
    .argument('<program...>', 'absolute path and arguments')
    .passThroughOptions()
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((host, argv, options) =>
      run(options, signal, async () => (await import('./commands/lab.ts')).exec(host, argv, options, signal)),
    );
}
