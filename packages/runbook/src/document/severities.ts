/** Incident severities and how fast each is answered. */
import { parseDuration } from './duration.ts';
import type { OutlineItem } from './outline.ts';

export const INCIDENT_SEVERITIES = ['SEV1', 'SEV2', 'SEV3', 'SEV4'] as const;
export type IncidentSeverity = (typeof INCIDENT_SEVERITIES)[number];

/** what has to be reached, and by when at the latest. */
const LIMITS: Readonly<Record<IncidentSeverity, { readonly goal: string; readonly within: string }>> = {
  SEV1: { goal: 'contain', within: '15 min' },
  SEV2: { goal: 'mitigate', within: '1 h' },
  SEV3: { goal: 'plan', within: '4 h' },
  SEV4: { goal: 'plan', within: 'next business day' },
};

/** Declared in the front matter: this team answers slower than R-31 says, and why. */
export type Overrides = Readonly<
  Partial<Record<IncidentSeverity, { readonly within: string; readonly reason: string }>>
>;

export interface SeverityRow {
  readonly severity: IncidentSeverity;
  readonly withinMs: number;
  readonly primary: string;
  readonly escalation: string;
  readonly line: number;
}

export interface EscalationRow {
  readonly afterMs: number;
  readonly to: string;
  readonly line: number;
}

type Table = Extract<OutlineItem, { kind: 'table' }>;
type Report = (line: number, message: string) => void;

const SEVERITY_COLUMNS = ['Severity', 'Goal', 'Within', 'Primary', 'Escalation'];
const ESCALATION_COLUMNS = ['After', 'To'];

/** Whether the first row names these columns, in this order; more may follow. */
function hasColumns(table: Table, columns: readonly string[], report: Report): boolean {
  const header = table.rows[0]?.cells ?? [];
  const fits = columns.every((column, at) => header[at]?.toLowerCase() === column.toLowerCase());
  if (!fits) report(table.line, `The table's first columns are ${columns.join(' | ')}`);
  return fits;
}

/** Reads the severity table and holds it against R-31; `overrides: null` when they could not be read. */
export function readSeverities(table: Table, overrides: Overrides | null, report: Report): SeverityRow[] {
  if (!hasColumns(table, SEVERITY_COLUMNS, report)) return [];
  const rows: SeverityRow[] = [];
  for (const { line, cells } of table.rows.slice(1)) {
    const [name = '', goal = '', within = '', primary = '', escalation = ''] = cells;
    const severity = INCIDENT_SEVERITIES.find((known) => known === name);
    const withinMs = parseDuration(within);
    if (severity === undefined) {
      report(line, `Severities are ${INCIDENT_SEVERITIES.join(', ')}`);
    } else if (rows.some((row) => row.severity === severity)) {
      report(line, `${severity} stands twice in the table`);
    } else if (withinMs === null) {
      report(line, `${severity}: "Within" is a duration such as 15 min, or next business day`);
    } else {
      checkLimit({ severity, goal, withinMs, line }, overrides, report);
      rows.push({ severity, withinMs, primary, escalation, line });
    }
  }
  for (const severity of INCIDENT_SEVERITIES) {
    if (!rows.some((row) => row.severity === severity))
      report(table.line, `The table has no valid row for ${severity}`);
  }
  return rows;
}

function checkLimit(
  row: { severity: IncidentSeverity; goal: string; withinMs: number; line: number },
  overrides: Overrides | null,
  report: Report,
): void {
  const { goal, within } = LIMITS[row.severity];
  if (row.goal.toLowerCase() !== goal) report(row.line, `${row.severity}: the goal is "${goal}"`);
  if (overrides === null) return;
  const override = overrides[row.severity];
  const limitMs = parseDuration(override?.within ?? within);
  if (limitMs === null) {
    report(row.line, `${row.severity}: the override in the front matter is no duration`);
  } else if (row.withinMs > limitMs) {
    report(
      row.line,
      `${row.severity} is to ${goal} within ${override?.within ?? within}; a longer time is declared under "overrides" with a reason`,
    );
  }
}

/** Reads the escalation table: who is called when so much time has passed. */
export function readEscalation(table: Table, report: Report): EscalationRow[] {
  if (!hasColumns(table, ESCALATION_COLUMNS, report)) return [];
  const rows: EscalationRow[] = [];
  for (const { line, cells } of table.rows.slice(1)) {
    const afterMs = parseDuration(cells[0] ?? '');
    if (afterMs === null) report(line, '"After" is a duration such as 15 min');
    else if (afterMs <= (rows.at(-1)?.afterMs ?? 0))
      report(line, 'Each step of an escalation is later than the one before');
    else rows.push({ afterMs, to: cells[1] ?? '', line });
  }
  if (rows.length === 0) report(table.line, 'The escalation table has no row with a time');
  return rows;
}
