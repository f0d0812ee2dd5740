/**
 * The layer table as a rule: a package imports only from rows below its own, each row with the
 * reason it stands where it does. Also: nobody imports what its package.json does not name.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles, REPOSITORY } from './repository.ts';

interface Layer {
  readonly packages: readonly string[];
  readonly because: string;
}

/** Lowest first. */
export const LAYERS: readonly Layer[] = [
  { packages: ['core'], because: 'words everyone uses; no I/O, no clock, no Node: the console imports it too' },
  { packages: ['crypto'], because: 'keys, signatures and hash trees; its only I/O is key files' },
  {
    packages: ['host', 'evidence', 'audit', 'policy', 'wasm'],
    because: 'one domain each; they know nothing of each other',
  },
  { packages: ['change', 'api'], because: 'what is built of those domains: the transaction, and the wire contracts' },
  {
    packages: ['host-linux', 'host-sim', 'store', 'sandbox', 'scan', 'runbook'],
    because: 'adapters to a machine, a kernel, a database or a source tree; replaceable',
  },
  {
    packages: ['guard', 'compliance', 'wasm-runner', 'gate'],
    because: 'capabilities; they meet in an app, never in each other',
  },
  { packages: ['agent', 'server', 'lab'], because: 'services that run capabilities' },
  { packages: ['cli', 'console'], because: 'wiring only' },
];

/** Within the row of domains and of capabilities no package may import another; in the others it may not either. */
const IMPORT = /(?:from|import)\s*\(?\s*'(@holdfast\/[a-z-]+)(?:\/[a-z-]+)?'/g;

interface Violation {
  readonly file: string;
  readonly problem: string;
}

function rowOf(name: string): number {
  return LAYERS.findIndex((layer) => layer.packages.includes(name));
}

function packageOf(file: string): string | undefined {
  return /^(?:packages|apps)\/([a-z-]+)\//.exec(file)?.[1];
}

function dependenciesOf(manifest: string): Set<string> {
  const parsed = JSON.parse(readFileSync(join(REPOSITORY, manifest), 'utf8')) as Record<string, Record<string, string>>;
  return new Set([...Object.keys(parsed['dependencies'] ?? {}), ...Object.keys(parsed['devDependencies'] ?? {})]);
}

/** Every import that points up or sideways, or that no manifest names. */
export function findLayerViolations(files: readonly string[] = listFiles()): Violation[] {
  const violations: Violation[] = [];
  const manifests = new Map<string, Set<string>>();
  for (const file of files) {
    const from = packageOf(file);
    if (from === undefined || !/\.tsx?$/.test(file)) continue;
    const isTest = /\.test\.tsx?$|\/test\/|\/bench\//.test(file);
    const row = rowOf(from);
    if (from !== 'testing' && row < 0) violations.push({ file, problem: `${from} has no row in the layer table` });
    const manifest = file.split('/').slice(0, 2).join('/') + '/package.json';
    const named = manifests.get(manifest) ?? dependenciesOf(manifest);
    manifests.set(manifest, named);
    for (const [, specifier = ''] of readFileSync(join(REPOSITORY, file), 'utf8').matchAll(IMPORT)) {
      const to = specifier.slice('@holdfast/'.length);
      if (to === from) continue;
      if (to === 'testing') {
        if (!isTest && !file.includes('/conformance/')) violations.push({ file, problem: 'only tests import testing' });
        continue;
      }
      // A test may use an adapter or a service of a higher row to exercise its package for real.
      if (isTest) continue;
      if (rowOf(to) >= row) {
        const reason = LAYERS[row]?.because ?? '';
        violations.push({ file, problem: `imports ${to}, which is not below ${from} (${from}: ${reason})` });
      }
      if (!named.has(specifier))
        violations.push({ file, problem: `imports ${specifier}, which ${manifest} does not name` });
    }
  }
  return violations;
}
