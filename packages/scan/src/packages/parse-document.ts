/**
 * JSON, YAML and TOML from a stranger's repository: every failure names the file, and a document has
 * to be an object. Values are taken out of it by the small readers below, which answer "not there"
 * for everything of the wrong kind.
 */
import { parse as parseTomlText } from 'smol-toml';
import { parse as parseYamlText } from 'yaml';
import { inputError } from './input-error.ts';

export type Table = Readonly<Record<string, unknown>>;

export const parseJson = (text: string, file: string): Table =>
  parseWith((source) => JSON.parse(source) as unknown, 'JSON', text, file);
export const parseToml = (text: string, file: string): Table =>
  parseWith((source) => parseTomlText(source), 'TOML', text, file);
/** Aliases are limited: a document of a few hundred bytes could otherwise become gigabytes. */
export const parseYaml = (text: string, file: string): Table =>
  parseWith((source) => parseYamlText(source, { maxAliasCount: 100, merge: false }) as unknown, 'YAML', text, file);

function parseWith(parse: (source: string) => unknown, format: string, text: string, file: string): Table {
  let value: unknown;
  try {
    value = parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (cause) {
    throw inputError(file, `is not valid ${format}`, cause);
  }
  if (!isTable(value)) throw inputError(file, `is ${format}, but no object`);
  return value;
}

export const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const tableOf = (value: unknown): Table => (isTable(value) ? value : {});
export const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
/** Own entries whose value is a table. */
export const tablesIn = (value: unknown): [string, Table][] =>
  Object.entries(tableOf(value)).filter((entry): entry is [string, Table] => isTable(entry[1]));
