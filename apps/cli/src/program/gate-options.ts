/** Options that the commands of `holdfast gate` share. */
import type { Command } from '@commander-js/extra-typings';
import { JSON_FLAG } from './options.ts';

export const GATE_FILE = ['--file <path>', 'the gate file, from there', 'gate.yaml'] as const;

/** Every gate command knows where the repository is and which file its gate is. */
export const withGate = (command: Command) =>
  command
    .option('-C, --directory <directory>', 'the repository', '.')
    .option(...GATE_FILE)
    .option(...JSON_FLAG);

/** Those that sign also take a key; who somebody is follows from it. */
export const withKey = (command: Command) =>
  withGate(command).option(
    '--key <file>',
    'your private key; without it $HOLDFAST_GATE_KEY, then ~/.config/holdfast/gate.key',
  );

/** Those that judge can do it as of another moment; what they say then says so. */
export const AT_FLAG = ['--at <time>', 'judge as of this ISO 8601 time instead of now'] as const;
