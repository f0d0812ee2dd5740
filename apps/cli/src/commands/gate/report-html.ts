/**
 * The gate's report as one HTML file: printable, without script, fonts or anything from elsewhere. Every
 * value goes through `text`; the content security policy forbids what an oversight would let in.
 */
import type { Assessment, EvidenceState, Gate } from '@holdfast/gate';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** Also right inside a quoted attribute. */
const text = (value: string): string => value.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');

const STYLE = `
  :root { color-scheme: light; font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff }
  body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
  table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #ccc }
  th { font-weight: 600 } code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere }
  .verdict { font-size: 1.3rem; font-weight: 700; padding: .6rem .8rem; margin: 1rem 0; border: 2px solid; border-radius: 4px }
  .GO { color: #14602b } .GO_WITH_CONDITIONS { color: #7a4b00 } .NO_GO, .STALE, .NONE { color: #9b1c1c } .INCONCLUSIVE { color: #44337a }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0 } dt { color: #555 } dd { margin: 0 }
  @media print { body { margin: 0; max-width: none } h2 { break-after: avoid } tr { break-inside: avoid } thead { display: table-header-group } }
`;

/** @param gate the frozen one */
export function reportHtml(gate: Gate, assessment: Assessment): string {
  const { standing, standingReasons, verdict, reasons } = assessment;
  const same = verdict === standing && reasons.length === standingReasons.length;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(`${standing}: ${gate.title}, release ${gate.release}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${[
  head(gate, assessment),
  `<p class="verdict ${standing}">${text(standing)}</p>`,
  reasonTable('Why', standingReasons),
  same
    ? ''
    : `<p class="verdict ${verdict}">A verdict issued now would be ${text(verdict)}</p>${reasonTable('Why that', reasons)}`,
  counted(assessment),
  ...sections(gate, assessment),
].join('\n')}
</main>
</body>
</html>
`;
}

function head(gate: Gate, { revision, candidate, at, policyDigest }: Assessment): string {
  const facts: readonly (readonly [string, string])[] = [
    ['Release', gate.release],
    ['Resource', gate.resource],
    ['Commit', candidate.commit],
    ['Sources', candidate.tree],
    ['Files not committed', String(candidate.dirtyFiles)],
    ['Gate file', `revision ${revision}, ${policyDigest}`],
    ['Judged as of', at],
  ];
  const rows = facts.map(([name, value]) => `<dt>${text(name)}</dt><dd><code>${text(value)}</code></dd>`);
  return `<h1>${text(gate.title)}</h1>\n<dl>${rows.join('')}</dl>`;
}

function counted({ counts }: Assessment): string {
  const { packets, approved, surfaces, covered, runs, validRuns, tests, findings } = counts;
  return `<p>${approved} of ${packets} packets approved, ${covered} of ${surfaces} surfaces reached, ${validRuns} of ${runs} runs count, ${tests} tests; open findings: ${findings.P0} P0, ${findings.P1} P1, ${findings.P2} P2.</p>`;
}

const reasonTable = (title: string, reasons: Assessment['reasons']): string =>
  table(
    title,
    ['Rule', 'Reason'],
    reasons.map(({ rule, text: said }) => [rule, said]),
  );

function sections(gate: Gate, assessment: Assessment): string[] {
  const { packets, milestone, surfaces, findings, conditions, risks, verdicts } = assessment;
  return [
    table(
      'Packets',
      ['', 'Packet', 'State', 'Review', 'Implementer', 'Reviewer', 'Approved by'],
      packets.map((packet) => [
        packet.id,
        packet.title,
        packet.state,
        packet.review,
        packet.implementer,
        packet.reviewer,
        packet.approvedBy.join(', '),
      ]),
    ),
    table(
      'Evidence',
      ['Where', 'Role', 'Command', 'Counts', 'Why not', 'Attempts', 'Run'],
      [...packets.flatMap(({ evidence }) => evidence), ...milestone].map(evidenceRow),
    ),
    table(
      'Surfaces',
      ['Surface', 'P0 can arise', 'Reached by', 'In the milestone by'],
      surfaces.map(({ title, p0, coveredBy, inMilestone }) => [
        title,
        p0 ? 'yes' : 'no',
        coveredBy.join(', ') || 'nothing',
        inMilestone.join(', ') || 'nothing',
      ]),
    ),
    table(
      'Findings',
      ['', 'Severity', 'Status', 'Finding', 'Where', 'From'],
      findings.map(({ id, severity, status, title, location, origin }) => [
        id,
        severity,
        status,
        title,
        location,
        origin,
      ]),
    ),
    table(
      'Conditions',
      ['', 'Finding', 'Status', 'Condition', 'Shown by', 'Owner', 'Due', 'Approved by'],
      conditions.map((condition) => [
        condition.id,
        condition.finding,
        condition.status,
        condition.text,
        condition.command,
        condition.owner,
        condition.due,
        condition.approvers.join(', '),
      ]),
    ),
    table(
      'Residual risks',
      ['', 'Status', 'Risk', 'Owner', 'Contact', 'Due'],
      risks.map(({ id, status, text: said, owner, contact, due }) => [id, status, said, owner, contact, due]),
    ),
    table(
      'Verdicts',
      ['When', 'Verdict', 'By', 'Commit', 'Record'],
      verdicts.map(({ at, verdict, issuer, commit, leaf }) => [at, verdict, issuer, commit, leaf.slice(0, 12)]),
    ),
    list('When to roll back', gate.rollbackTriggers),
    list('For whoever deploys', gate.operatorList),
  ];
}

function evidenceRow({
  packet,
  role,
  command,
  valid,
  invalid,
  attempts,
  failedAttempts,
  run,
}: EvidenceState): string[] {
  return [
    packet ?? 'milestone',
    role,
    command,
    valid ? 'yes' : 'no',
    invalid.join(', '),
    failedAttempts === 0 ? String(attempts) : `${attempts}, of which ${failedAttempts} failed`,
    run ?? '',
  ];
}

function table(title: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const cells = (row: readonly string[], tag: 'td' | 'th scope="col"'): string =>
    `<tr>${row.map((cell) => `<${tag}>${text(cell)}</${tag.slice(0, 2)}>`).join('')}</tr>`;
  const body = rows.map((row) => cells(row, 'td')).join('\n');
  return `<h2>${text(title)}</h2>\n<table><thead>${cells(header, 'th scope="col"')}</thead><tbody>\n${body}\n</tbody></table>`;
}

function list(title: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  return `<h2>${text(title)}</h2>\n<ol>${items.map((item) => `<li>${text(item)}</li>`).join('')}</ol>`;
}
