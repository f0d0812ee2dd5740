/** Services through systemctl(1): one process tells the state of all units asked for. */
import { HoldfastError } from '@holdfast/core';
import { type CommandRunner, parseUnitName, type ServiceManager, type ServiceState } from '@holdfast/host';

import { parseShow, parseUnitList } from './systemd-output.ts';

const SYSTEMCTL = '/usr/bin/systemctl';
const READ_LIMITS = { timeoutMs: 5_000, maxOutputBytes: 1024 * 1024 };
/** systemd's own DefaultTimeoutStartSec is 90 s; it fails the job then, and we still hear of it. */
const JOB_LIMITS = { timeoutMs: 100_000, maxOutputBytes: 64 * 1024 };
const PROPERTIES = 'Id,LoadState,ActiveState,SubState,UnitFileState';

export class SystemdServices implements ServiceManager {
  readonly #commands: CommandRunner;

  constructor(commands: CommandRunner) {
    this.#commands = commands;
  }

  async show(units: readonly string[], signal: AbortSignal): Promise<ServiceState[]> {
    signal.throwIfAborted();
    for (const unit of units) parseUnitName(unit);
    // Without a unit `systemctl show` tells of the manager itself.
    if (units.length === 0) return [];
    const text = await this.#read(['show', `--property=${PROPERTIES}`, '--', ...units], signal);
    const states = parseShow(text, units);
    if (states === undefined) throw unreadable({ reason: 'unexpected output' });
    return states;
  }

  async listFailed(signal: AbortSignal): Promise<string[]> {
    const options = ['--state=failed', '--plain', '--no-legend', '--no-pager', '--full', '--all'];
    return parseUnitList(await this.#read(['list-units', ...options], signal));
  }

  async restart(unit: string, signal: AbortSignal): Promise<void> {
    await this.#job('restart', unit, signal);
  }

  async stop(unit: string, signal: AbortSignal): Promise<void> {
    await this.#job('stop', unit, signal);
  }

  async #read(args: readonly string[], signal: AbortSignal): Promise<string> {
    const result = await this.#commands.run([SYSTEMCTL, ...args], READ_LIMITS, signal);
    if (result.exitCode !== 0 || result.truncated) throw unreadable({ exitCode: result.exitCode });
    return Buffer.from(result.stdout).toString('utf8');
  }

  async #job(verb: 'restart' | 'stop', unit: string, signal: AbortSignal): Promise<void> {
    parseUnitName(unit);
    const argv = [SYSTEMCTL, '--no-ask-password', '--no-pager', verb, '--', unit] as const;
    const result = await this.#commands.run(argv, JOB_LIMITS, signal);
    if (result.exitCode === 0) return;
    throw new HoldfastError(`systemd could not ${verb} the unit`, {
      code: 'ERR_HOST_SERVICE_FAILED',
      fields: { verb, unit, exitCode: result.exitCode },
    });
  }
}

function unreadable(fields: Readonly<Record<string, string | number | null>>): HoldfastError {
  return new HoldfastError('systemd did not tell the state of the units', {
    code: 'ERR_HOST_SERVICES_UNREADABLE',
    fields,
  });
}
