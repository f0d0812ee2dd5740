/**
 * The stream of `govulncheck -json` as a scan (golang.org/x/vuln/internal/govulncheck, protocol
 * v1): messages `config`, `SBOM`, `osv`, `finding`, one JSON object after the other. It exits 0 with
 * findings in this mode, so the exit code says nothing (R-25). Its own call graph says what is reached.
 */
import { HoldfastError } from '@holdfast/core';
import { hash } from 'node:crypto';
import { packageUrl } from '../packages/package.ts';
import { isTable, listOf, type Table, tableOf, textOf } from '../packages/parse-document.ts';
import { makeFinding, sortFindings } from '../packages/make-finding.ts';
import type { ScanFinding, ScanSummary } from '../scan-report.ts';
import type { Reachability } from './apply-triage.ts';
import { emptySummary } from './imported-summary.ts';
import { type OsvEntry, OsvEntrySchema } from './osv-entry.ts';
import { levelOf, severityOf } from './severity.ts';

const NAME = 'govulncheck';

/** @throws `ERR_REPORT_MALFORMED` if it is cut off, or no such stream */
export function readGovulncheck(bytes: Uint8Array): ScanSummary {
  const unknown = emptySummary(NAME, bytes);
  const messages = splitJson(new TextDecoder().decode(bytes)).map(parseMessage);
  const config = messages.map((message) => message['config']).find(isTable);
  if (config === undefined) return { ...unknown, reasons: ['govulncheck wrote no configuration: it did not start.'] };
  const exportedAt = textOf(config['db_last_modified']);
  const reasons: string[] = [];
  if (exportedAt === null || Number.isNaN(Date.parse(exportedAt))) {
    reasons.push('govulncheck does not say how old its database is.');
  }
  const entries = new Map<string, OsvEntry>();
  for (const osv of messages.map((message) => message['osv']).filter((one) => one !== undefined)) {
    const entry = OsvEntrySchema.safeParse(osv);
    if (!entry.success) throw malformed('has an advisory that is not in the OSV format', entry.error);
    entries.set(entry.data.id, entry.data);
  }
  const modules = messages
    .map((message) => listOf(tableOf(message['SBOM'])['modules']))
    .find((list) => list.length > 0);
  const found = messages.map((message) => message['finding']).filter(isTable);
  const symbols = textOf(config['scan_level']) === 'symbol';
  return {
    ...unknown,
    rules: { name: NAME, version: (textOf(config['scanner_version']) ?? 'unknown').slice(0, 100), count: entries.size },
    state: reasons.length === 0 ? 'complete' : 'inconclusive',
    reasons,
    coverage: { ...unknown.coverage, packages: modules?.length ?? null },
    database:
      reasons.length > 0 || exportedAt === null
        ? null
        : {
            exportedAt: new Date(exportedAt).toISOString(),
            // The report names its database by address and date and has none of its bytes.
            digest: hash('sha256', JSON.stringify([config['db'] ?? null, exportedAt])),
            entries: entries.size,
          },
    findings: sortFindings(toFindings(found, entries, symbols)),
  };
}

/** One for each advisory and module; govulncheck writes one for each call that leads there. */
function toFindings(found: readonly Table[], entries: ReadonlyMap<string, OsvEntry>, symbols: boolean): ScanFinding[] {
  const groups = Map.groupBy(found, (finding) => {
    const frame = tableOf(listOf(finding['trace'])[0]);
    return JSON.stringify([finding['osv'], frame['module'], frame['version']]);
  });
  return [...groups.values()].map((group) => {
    const first = group[0]!; // groupBy makes no empty group
    const frame = tableOf(listOf(first['trace'])[0]);
    const [id, module] = [textOf(first['osv']), textOf(frame['module'])];
    if (id === null || module === null) throw malformed('has a finding without advisory or module');
    const version = textOf(frame['version'])?.replace(/^v/, '') ?? null;
    const entry = entries.get(id);
    const aliases = entry?.aliases ?? [];
    const level = entry === undefined ? 'unknown' : levelOf(entry, entry.affected ?? []);
    const reachability = reachabilityOf(group, symbols);
    const fixed = textOf(first['fixed_version']);
    return makeFinding({
      rule: id,
      aliases: [...aliases].slice(0, 100),
      severity: severityOf(level, false, reachability, [id, ...aliases]),
      location: packageUrl('Go', module, version, NAME),
      message: `${module} ${version ?? ''}: ${entry?.summary ?? 'has a known vulnerability'}; severity ${level}; ${fixed === null ? 'no fixed version is known' : `fixed in ${fixed}`}`,
      reachability,
    });
  });
}

/** At symbol level a finding without a function was looked for and is not called. */
function reachabilityOf(group: readonly Table[], symbols: boolean): Reachability {
  const frames = group.map((finding) => tableOf(listOf(finding['trace'])[0]));
  if (frames.some((frame) => textOf(frame['function']) !== null)) return 'reachable';
  if (!symbols) return 'unknown';
  return frames.some((frame) => textOf(frame['package']) !== null) ? 'imported' : 'not-reached';
}

/** The objects of a stream; white space between them is free. */
function splitJson(text: string): string[] {
  const objects: string[] = [];
  let [depth, start, inString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{') {
      if (depth === 0) start = at;
      depth += 1;
    } else if (char === '}') {
      depth -= 1;
      if (depth === 0) objects.push(text.slice(start, at + 1));
    } else if (depth === 0 && !/\s/.test(char ?? '')) throw malformed('has something between its objects');
  }
  if (depth !== 0 || inString) throw malformed('is cut off');
  return objects;
}

function parseMessage(text: string): Table {
  try {
    return tableOf(JSON.parse(text));
  } catch (cause) {
    throw malformed('is no JSON', cause);
  }
}

const malformed = (reason: string, cause?: unknown): HoldfastError =>
  new HoldfastError(`The report of govulncheck ${reason}`, {
    code: 'ERR_REPORT_MALFORMED',
    fields: { format: NAME, reason },
    cause,
  });
