/**
 * A verdict as JUnit XML (R-32), for build servers: one test suite for each packet and one for the
 * milestone, whose test cases are the required commands, and one for the verdict itself. What does not
 * count is a failure that names its reasons, also where nothing ran: nothing is ever `skipped`.
 */
import type { Assessment, EvidenceState } from '../verdict/assessment.ts';

interface Case {
  readonly name: string;
  /** Empty when it passed. */
  readonly failures: readonly string[];
}

export function verdictJunit(assessment: Assessment): string {
  const { gate, packets, milestone, reasons, verdict, at } = assessment;
  const suites: (readonly [string, readonly Case[]])[] = packets.map((packet) => [
    `packet ${packet.id}: ${packet.title}`,
    [
      ...packet.evidence.map(caseOf),
      {
        name: 'approved',
        failures:
          packet.state === 'DONE' && packet.review === 'APPROVED'
            ? []
            : [`${packet.state}, review ${packet.review}${packet.note === null ? '' : `: ${packet.note}`}`],
      },
    ],
  ]);
  suites.push(['milestone', milestone.map(caseOf)]);
  // Only these two let a release go; conditions are told, but they fail nothing.
  const mayGo = verdict === 'GO' || verdict === 'GO_WITH_CONDITIONS';
  const told = reasons.map(({ rule, code, text }) => `${rule} ${code}: ${text}`);
  suites.push(['verdict', [{ name: verdict, failures: mayGo ? [] : told.length > 0 ? told : [verdict] }]]);
  const cases = suites.flatMap(([, list]) => list);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name=${attribute(`gate ${gate?.id ?? 'not frozen'}`)} ${countsOf(cases)}>`,
    ...suites.map(([name, list]) => suiteOf(name, list, at)),
    '</testsuites>',
    '',
  ].join('\n');
}

const caseOf = ({ command, role, valid, invalid }: EvidenceState): Case => ({
  name: `${command} (${role})`,
  failures: valid ? [] : invalid.length > 0 ? invalid : ['invalid'],
});

const countsOf = (cases: readonly Case[]): string =>
  `tests="${cases.length}" failures="${cases.filter(({ failures }) => failures.length > 0).length}" errors="0" skipped="0"`;

const suiteOf = (name: string, cases: readonly Case[], at: string): string =>
  [
    `  <testsuite name=${attribute(name)} ${countsOf(cases)} timestamp=${attribute(at.slice(0, 19))}>`,
    ...cases.map((testCase) => elementOf(testCase, name)),
    '  </testsuite>',
  ].join('\n');

function elementOf({ name, failures }: Case, suite: string): string {
  const start = `    <testcase classname=${attribute(suite)} name=${attribute(name)} time="0"`;
  const [first] = failures;
  if (first === undefined) return `${start}/>`;
  return `${start}><failure message=${attribute(first)}>${escaped(failures.join('\n'))}</failure></testcase>`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
};
/** What XML 1.0 §2.2 has no place for is replaced: no title may break the report. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    // oxlint-disable-next-line no-control-regex -- these are the characters that XML refuses
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replaceAll(/[&<>]/g, (character) => ESCAPES[character] ?? '');
const attribute = (text: string): string =>
  `"${escaped(text).replaceAll(/["\n\t]/g, (character) => ESCAPES[character] ?? '')}"`;
