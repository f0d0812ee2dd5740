/** What hosts are held to: baselines, policies and custom checks. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { JSON_FLAG, ROOT, STATE_FLAG, examples } from './options.ts';

export function addBaseline(program: Command, signal: AbortSignal): void {
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
      run(options, signal, async () => (await import('../commands/baseline.ts')).capture(options, signal)),
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
      run(options, signal, async () => (await import('../commands/baseline.ts')).sign(file, options)),
    );
  baseline
    .command('install')
    .description('Verify a signed baseline and put it in force on this host (as root)')
    .argument('<file>', 'the signed baseline')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((file, options) =>
      run(options, signal, async () => (await import('../commands/baseline.ts')).install(file, options)),
    );
  baseline
    .command('show')
    .description('The baseline this host holds, if it verifies')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('../commands/baseline.ts')).show(options)));
  baseline
    .command('diff')
    .description('What two baselines expect differently; exit code 1 when they differ')
    .argument('<a>', 'YAML file')
    .argument('<b>', 'YAML file')
    .option(...JSON_FLAG)
    .action((a, b, options) => run(options, signal, async () => (await import('../commands/baseline.ts')).diff(a, b)));
}

export function addPolicy(program: Command, signal: AbortSignal): void {
  const policy = program.command('policy').description('Write and check the policy of a guard');
  policy
    .command('default')
    .description('Print the policy a host starts with')
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('../commands/policy.ts')).printDefault()));
  policy
    .command('lint')
    .description('Every problem of a policy, by place and severity; exit code 1 when it would not load')
    .argument('<files...>', 'policy.toml, and the files of policy.d in their order')
    .option(...JSON_FLAG)
    .action((files, options) => run(options, signal, async () => (await import('../commands/policy.ts')).lint(files)));
}

export function addCheck(program: Command, signal: AbortSignal): void {
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
      run(options, signal, async () => (await import('../commands/check.ts')).sign(file, options)),
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
      run(options, signal, async () => (await import('../commands/check.ts')).test(file, options, signal)),
    );
}
