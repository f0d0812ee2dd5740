/** Evidence and the audit log on the command line. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { JSON_FLAG, ROOT, STATE_FLAG, collect, number, examples } from './options.ts';

export function addEvidence(program: Command, signal: AbortSignal): void {
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
    .action((options) => run(options, signal, async () => (await import('../commands/evidence.ts')).list(options)));
  evidence
    .command('show')
    .description('One bundle, as it was signed')
    .argument('<bundle>', 'bundle id')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((bundle, options) =>
      run(options, signal, async () => (await import('../commands/evidence.ts')).show(bundle, options)),
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
      run(options, signal, async () => (await import('../commands/evidence.ts')).verify(path, options)),
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
      run(options, signal, async () => (await import('../commands/evidence-kit.ts')).kit(options, signal)),
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
      run(options, signal, async () => (await import('../commands/evidence.ts')).exportBundle(bundle, options)),
    );
}

export function addAudit(program: Command, signal: AbortSignal): void {
  const audit = program.command('audit').description('Look at and verify this host’s audit log (as root)');
  audit
    .command('verify')
    .description('Recompute the whole chain from bytes')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('../commands/audit.ts')).verify(options)));
  audit
    .command('tail')
    .description('The newest records, oldest of them first')
    .option('--limit <number>', 'how many', number, 20)
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/audit.ts')).tail(options, signal)),
    );
  audit
    .command('show')
    .description('One record, whole')
    .argument('<seq>', 'its sequence number', number)
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((seq, options) =>
      run(options, signal, async () => (await import('../commands/audit.ts')).show(seq, options, signal)),
    );
}
