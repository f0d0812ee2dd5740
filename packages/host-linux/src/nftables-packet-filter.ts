/** The packet filter through nft(8): one process per read, one transaction per replacement. */
import { HoldfastError } from '@holdfast/core';
import { type CommandRunner, MAX_RULESET_BYTES, normalizeRuleset, type PacketFilter } from '@holdfast/host';

const NFT = '/usr/sbin/nft';
/** C-06 gives rulesets 10 s; a ruleset of 10,000 rules takes 0.7 s. */
const TIMEOUT_MS = 10_000;
const LIMITS = { timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_RULESET_BYTES };

export class NftablesPacketFilter implements PacketFilter {
  readonly #commands: CommandRunner;

  constructor(commands: CommandRunner) {
    this.#commands = commands;
  }

  async read(signal: AbortSignal): Promise<string> {
    const result = await this.#commands.run([NFT, '-s', 'list', 'ruleset'], LIMITS, signal);
    if (result.exitCode !== 0 || result.truncated) throw unreadable({ exitCode: result.exitCode });
    try {
      return normalizeRuleset(Buffer.from(result.stdout).toString('utf8'));
    } catch (cause) {
      // A listing we do not understand is not a refused ruleset: it is one that was not read.
      throw unreadable({}, cause);
    }
  }

  async replace(ruleset: string, signal: AbortSignal): Promise<void> {
    const text = normalizeRuleset(ruleset);
    // nft(8) "-f": the whole file is one transaction, the flush included.
    const stdin = Buffer.from(`flush ruleset\n${text}`);
    const result = await this.#commands.run([NFT, '-f', '-'], { ...LIMITS, stdin }, signal);
    if (result.exitCode === 0) return;
    throw new HoldfastError('nft refused the ruleset', {
      code: 'ERR_HOST_PACKET_FILTER_REFUSED',
      fields: { exitCode: result.exitCode },
    });
  }
}

function unreadable(fields: { readonly exitCode?: number | null }, cause?: unknown): HoldfastError {
  return new HoldfastError('the ruleset cannot be listed', {
    code: 'ERR_HOST_PACKET_FILTER_UNREADABLE',
    fields,
    cause,
  });
}
