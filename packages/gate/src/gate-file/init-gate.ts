/**
 * A gate file to start from (R-01): commented, and free of lint errors but for what only people can
 * fill in, which is who they are, their keys and what the release is built with.
 */
import { detectProjects, type Project, type Repository } from './detect-projects.ts';

/** YAML 1.2 takes every JSON string as its own. */
const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[]): string => `[${texts.map(quoted).join(', ')}]`;
const FILL_IN = 'FILL-IN';

/** Never throws; a repository of no known kind gets a command to fill in. */
export function initGate(repository: Repository): string {
  const detected = detectProjects(repository);
  const projects = detected.length > 0 ? detected : [unknownProject(repository)];
  const id = gateId(repository.name);
  const first = projects[0] ?? unknownProject(repository);
  const tests = projects.map((project) => `${project.id}-tests`);
  return `# What a release of ${id} needs. \`holdfast gate lint\` says what is wrong with this file, all at once.
# Nothing here is a result: results come from commands that the gate runs itself.
version: 1
id: ${quoted(id)}
title: ${quoted(`Release of ${repository.name.replaceAll(/\p{C}/gu, '') || id}`)}
release: ${quoted(first.version ?? '1.0.0')}
resource: ${quoted(first.resource)}
# The last released tag or commit. Whoever committed since is an author and cannot review. null: there is none yet.
base: null

scope:
  # What is released, in parts that can fail on their own. Each must be reached by tests that really ran:
  # \`tests\` are ids as the report has them, with * for any characters. Split these by what they protect.
  surfaces:
${projects.map(surface).join('')}  outOfScope: []

# What each severity means. A finding cites one clause.
rubric:
  P0:
    - { id: authentication-bypass, text: "Somebody acts without the right to" }
    - { id: data-leak, text: "Data of one customer reaches another, or a secret is exposed" }
    - { id: exploitable-dependency, text: "A dependency with a known way in that the code reaches" }
  P1:
    - { id: wrong-result, text: "A promised function fails or gives a wrong result, without a workaround" }
    - { id: unproven, text: "A protection that no passing evidence shows" }
  P2:
    - { id: minor, text: "A defect with a workaround, or a document that is wrong" }

# What the release is built with: the first line that each prints. Evidence from another version does not count.
toolchain:
${projects.map((project) => tool(project, repository)).join('')}
# What the gate runs. A report that is a file must be ignored by git: one that git sees makes the tree dirty.
commands:
${projects.map(testCommand).join('')}  # Secrets in the tree and in the whole history.
  - id: secrets
    kind: scan
    argv: ["holdfast", "gate", "scan", "secrets", "--report"]
    report: { format: scan, from: stdout }
    # Not being able to look is neither clean nor a finding.
    triage: [{ exit: 30, outcome: inconclusive, means: "something could not be looked at" }]
  # Known vulnerabilities need data that \`holdfast gate scan update\` brings; add the command to a packet when it is there.
  # - id: vulnerabilities
  #   kind: scan
  #   argv: ["holdfast", "gate", "scan", "vulnerabilities", "--report"]
  #   report: { format: scan, from: stdout }
  #   triage: [{ exit: 30, outcome: inconclusive, means: "the offline data is missing or could not be read" }]

# Pieces of work, each with one who does it and another who runs everything again. needs: [id] orders them.
packets:
  - id: "00"
    title: "Freeze scope, rubric, order and commands"
    checklist: ["Every surface that is released is listed", "The rubric is agreed"]
    implementer: maker
    reviewer: reader
  - id: tests
    title: "The tests pass"
    checklist: ["No test was removed or weakened without a reason"]
    commands: ${list(tests)}
    implementer: maker
    reviewer: reader
  - id: secrets
    title: "No secret is exposed"
    checklist: ["Each finding is revoked and replaced, or a false positive with a reason"]
    commands: ["secrets"]
    implementer: maker
    reviewer: reader

# Run again for the verdict, on the very commit that is released.
milestone: ${list([...tests, 'secrets'])}

# Three different people with three different keys: \`holdfast gate key\` makes one and prints what goes into keys.
# contact: an e-mail address, a URL or a telephone number. git: the addresses they commit with.
people:
${['maker: [implementer]', 'reader: [reviewer, approver]', 'decider: [issuer, approver]'].map(person).join('')}
# When to roll back, and what whoever deploys does; both stand in the verdict.
rollbackTriggers: []
operatorList: []
`;
}

const surface = ({ id, paths }: Project): string => `    - id: ${id}-code
      title: ${quoted(`All code of the ${id} project`)}
      paths: ${list(paths)}
      tests: ["*"]
      # Whether a P0 can arise here; then the milestone must reach it.
      p0: true
`;

const tool = ({ tool: { name, argv } }: Project, { versions }: Repository): string =>
  `  - { name: ${name}, argv: ${list(argv)}, release: ${quoted(versions?.get(name) ?? FILL_IN)} }\n`;

const testCommand = ({ id, test }: Project): string => `  # ${test.note}
  - id: ${id}-tests
    kind: ${test.kind}
    argv: ${list(test.argv)}
    report: { format: ${test.report.format}, from: ${quoted(test.report.from)} }
    timeoutSeconds: 1800
    # Fewer executed tests than this fail. Set it to the number that runs today.
    floor: 1
`;

function person(line: string): string {
  const [id = '', roles = ''] = line.split(': ');
  return `  - id: ${id}
    name: ${FILL_IN}
    contact: ${FILL_IN}@example.invalid
    roles: ${roles}
    keys: []
    git: []
`;
}

function unknownProject({ name }: Repository): Project {
  return {
    id: 'whole',
    resource: `pkg:generic/${encodeURIComponent(gateId(name))}`,
    version: null,
    paths: ['**'],
    tool: { name: 'compiler', argv: [FILL_IN, '--version'] },
    test: {
      kind: 'test',
      argv: [FILL_IN],
      report: { format: 'tap', from: 'stdout' },
      note: 'No project of a known kind was found at the root: name what runs the tests and the format of its report.',
    },
  };
}

/** As `GATE_ID_PATTERN` has it. */
function gateId(name: string): string {
  const id = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);
  return id === '' ? 'release' : id;
}
