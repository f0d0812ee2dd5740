/** `holdfast gate attestation|bill`: what other tools wrote about the files of a release. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { collect, examples, JSON_FLAG } from './options.ts';

export function addGateInterchange(gate: Command, signal: AbortSignal): void {
  gate
    .command('attestation')
    .description(
      'Verify an in-toto attestation (SLSA provenance, VSA, …) or a Sigstore bundle, offline; ends with 20 when it is about something else',
    )
    .argument('<file>', 'the DSSE envelope or the bundle')
    .option('--artifact <file>', 'a file that it has to be about, as often as needed', collect)
    .option('--key <pem>', 'a public key that you believe, as often as needed; one of them has to have signed', collect)
    .option('--trusted-root <json>', 'for a Sigstore bundle: the root that you pinned')
    .option('--identity <name>', 'and who signed: the name in the certificate')
    .option('--issuer <url>', 'and who vouched for that name')
    .option('--predicate-type <type>', 'what it has to say, such as https://slsa.dev/provenance/v1')
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast gate attestation shop.intoto.json --key builder.pem --artifact shop.tgz'))
    .action((file, options) =>
      run(options, signal, async () => (await import('../commands/gate/attestation.ts')).attestation(file, options)),
    );
  gate
    .command('bill')
    .description(
      'Hold a bill of materials (CycloneDX or SPDX, JSON) against the lockfiles; ends with 20 when they differ',
    )
    .argument('<file>', 'the document')
    .option('-C, --directory <directory>', 'the repository', '.')
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast gate bill shop.cdx.json'))
    .action((file, options) =>
      run(options, signal, async () => (await import('../commands/gate/bill.ts')).bill(file, options, signal)),
    );
}
