/** `holdfast gate bill`: whether a bill of materials is that of the tree: nothing missing, nothing added. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { readSbom } from '@holdfast/gate';
import { openDirectory, readPackages } from '@holdfast/scan';
import type { CommandResult } from '../../output.ts';

const EXIT_NO = 20;
/** More stand in `--json`. */
const MAX_SHOWN = 20;

export async function bill(
  file: string,
  options: { readonly directory: string },
  signal: AbortSignal,
): Promise<CommandResult> {
  const { format, version, components } = readSbom(read(file));
  const files = openDirectory(resolve(options.directory));
  const { packages, lockfiles } = await readPackages(files, () => false, signal);
  const listed = new Set(components.flatMap(({ purl }) => (purl === null ? [] : [withoutQualifiers(purl)])));
  const installed = new Set(packages.map(({ purl }) => purl));
  const missing = [...installed].filter((purl) => !listed.has(purl)).toSorted();
  const added = [...listed].filter((purl) => !installed.has(purl)).toSorted();
  const unnamed = components.filter(({ purl }) => purl === null).length;
  const holds = lockfiles.length > 0 && missing.length === 0 && added.length === 0 && unnamed === 0;
  const text = [
    `${format} ${version}: ${components.length} components, against ${installed.size} packages of ${lockfiles.length} lockfiles`,
    ...linesOf('not in the bill', missing),
    ...linesOf('in no lockfile', added),
    ...(unnamed === 0 ? [] : [`${unnamed} components have no package URL: nobody can say what they are`]),
    ...(lockfiles.length === 0 ? ['There is no lockfile here to hold it against.'] : []),
    ...(holds ? ['It is the bill of this tree.'] : []),
  ].join('\n');
  return { data: { holds, format, version, components, missing, added, unnamed }, text, exitCode: holds ? 0 : EXIT_NO };
}

/** Where it was fetched from and the like does not make it another package. */
const withoutQualifiers = (purl: string): string => purl.replace(/[?#].*$/s, '');

function linesOf(what: string, purls: readonly string[]): string[] {
  const more = purls.length > MAX_SHOWN ? [`and ${purls.length - MAX_SHOWN} more ${what}`] : [];
  return [...purls.slice(0, MAX_SHOWN).map((purl) => `${what}: ${purl}`), ...more];
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new HoldfastError('a file cannot be read', { code: 'ERR_INPUT_INVALID', fields: { file }, cause });
  }
}
