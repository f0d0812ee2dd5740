/** Options that many commands share, and how their texts are read. */
import { defaultStateDirectory } from '../server-state.ts';

export const JSON_FLAG = ['--json', 'print JSON instead of text'] as const;
export const ROOT = ['--root <directory>', 'root of the host: /, or the directory of a simulated one', '/'] as const;
export const STATE_FLAG = [
  '--state <directory>',
  'state directory of the control plane on this machine',
  defaultStateDirectory(process.cwd()),
] as const;
export const collect = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text];
export const number = (text: string): number => Number.parseInt(text, 10);

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
