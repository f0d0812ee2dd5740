/** The control plane on the command line: `server` and what an operator asks of it. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { JSON_FLAG, STATE_FLAG, number, examples } from './options.ts';

export function addServer(program: Command, signal: AbortSignal): void {
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
      run(options, signal, async () => (await import('../commands/server.ts')).serve(options, signal)),
    );
  server
    .command('login')
    .description('Print a sign-in link that works once')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/server.ts')).login(options, signal)),
    );
  server
    .command('token')
    .description('Create a one-time enrolment token for one host')
    .option(...STATE_FLAG)
    .option('--ttl <seconds>', 'how long it is good', number, 3_600)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/server.ts')).token(options, signal)),
    );
  server
    .command('trust')
    .description('Print the keys to pin, to compare with what the console pinned')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/server.ts')).trust(options, signal)),
    );
  server
    .command('verify')
    .description('Re-verify every stored bundle against its signature, its columns and the transparency log')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/server.ts')).verify(options, signal)),
    );
}
