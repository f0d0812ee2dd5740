/**
 * Runbooks as data: Markdown that a person reads in an incident, with front matter, tables and
 * typed steps that a machine can verify and drill. Everything wrong is reported at once, with its line;
 * whether what the steps name exists is `verify-runbooks.ts`.
 */
import { z } from 'zod';
import {
  type EscalationRow,
  INCIDENT_SEVERITIES,
  readEscalation,
  readSeverities,
  type SeverityRow,
} from './severities.ts';
import { type Outline, outlineMarkdown, type OutlineItem } from './outline.ts';
import {
  type Instance,
  InstanceSchema,
  type Phase,
  PHASES,
  type Step,
  STEP_TYPES,
  stepSchema,
  type Switch,
  SwitchSchema,
} from './step-schema.ts';
import { describeIssues, readYaml } from './yaml-block.ts';

/** A drill records at most 500 steps. */
const MAX_STEPS = 500;
const MAX_PROBLEMS = 200;

const FrontMatterSchema = z.strictObject({
  runbook: z.string().trim().min(1).max(200),
  status: z.enum(['active', 'draft', 'retired']),
  /** Who keeps it right. */
  owner: z.string().min(1).max(320),
  /** Day of the last drill; `null` when there was none. */
  lastDrill: z.iso.date().nullable(),
  /** severities that are answered slower than usual, each with why. */
  overrides: z
    .partialRecord(
      z.enum(INCIDENT_SEVERITIES),
      z.strictObject({ within: z.string().min(1).max(40), reason: z.string().trim().min(1).max(2_000) }),
    )
    .default({}),
});

export interface Runbook {
  /** As given: relative to the repository's root. */
  readonly path: string;
  readonly title: string;
  readonly status: 'active' | 'draft' | 'retired';
  readonly owner: string;
  readonly lastDrill: string | null;
  readonly severities: readonly SeverityRow[];
  readonly escalation: readonly EscalationRow[];
  readonly playbooks: readonly string[];
  readonly switches: readonly Switch[];
  readonly instance: Instance | null;
  readonly steps: readonly Step[];
  /** Relative links to other files, as written. */
  readonly links: readonly { readonly target: string; readonly line: number }[];
}

export interface RunbookProblem {
  readonly line: number;
  readonly message: string;
}

const SECTIONS = ['Severities', 'Playbooks', 'Kill switch', 'Rollback', 'Escalation'] as const;
const PLAYBOOK_PARTS = ['Detection', 'Response time', 'Immediate actions', 'Investigation', 'Resolution'] as const;
/** `file.ts:12`, `file.ts#L12`: they are wrong after the next edit. */
const LINE_REFERENCE =
  /\.(?:[cm]?[jt]sx?|go|rs|py|rb|java|kt|cs|php|c|h|cc|cpp|hpp|swift|sh|sql|vue|ya?ml|json|toml|md)(?::[0-9]{1,7}\b|#L[0-9]{1,7}\b)/;

const slug = (heading: string): string => heading.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
const phaseOf = (section: string): Phase | null => PHASES.find((phase) => phase === slug(section)) ?? null;

/** Parses one runbook. Never throws, whatever the text is; `runbook` is `null` when there are problems. */
export function parseRunbook(
  text: string,
  path: string,
): { readonly runbook: Runbook | null; readonly problems: readonly RunbookProblem[] } {
  const outline = outlineMarkdown(text);
  if ('message' in outline) return { runbook: null, problems: [outline] };
  const reader = new Reader(outline);
  const runbook = reader.read(path);
  const problems = reader.problems.toSorted((a, b) => a.line - b.line).slice(0, MAX_PROBLEMS);
  return { runbook: problems.length === 0 ? runbook : null, problems };
}

/** The switches that any Markdown document describes, runbook or not. */
export function parseSwitches(text: string): { switches: readonly Switch[]; problems: readonly RunbookProblem[] } {
  // Any document may be long and full of links; only one with such a fence has to be a modest one.
  if (!/yaml[ \t]+switch/.test(text)) return { switches: [], problems: [] };
  const outline = outlineMarkdown(text);
  if ('message' in outline) return { switches: [], problems: [outline] };
  const reader = new Reader({ frontMatter: null, items: outline.items.filter(isSwitchBlock) });
  reader.readItems();
  return { switches: reader.switches, problems: reader.problems };
}

const isSwitchBlock = (item: OutlineItem): boolean => item.kind === 'block' && item.info === 'yaml switch';

interface Section {
  readonly line: number;
  /** Headings from the second level on. */
  readonly titles: readonly string[];
  readonly items: OutlineItem[];
}

/** One pass over one document; the fields are what it found so far. */
class Reader {
  readonly problems: RunbookProblem[] = [];
  readonly switches: Switch[] = [];
  readonly steps: Step[] = [];
  readonly links: { target: string; line: number }[] = [];
  readonly #instances: Instance[] = [];
  readonly #sections: Section[] = [];
  readonly #outline: Outline;

  constructor(outline: Outline) {
    this.#outline = outline;
  }

  read(path: string): Runbook | null {
    const front = this.#frontMatter();
    this.readItems();
    if (this.#instances.length > 1) this.#report(this.#instances[1]!.line, 'A runbook has one instance block');
    for (const name of SECTIONS) this.#requireSection(name);
    for (const step of this.steps) this.#checkSwitchOf(step);
    const severityTable = this.#table('Severities');
    const escalationTable = this.#table('Escalation');
    const severities =
      severityTable === undefined ? [] : readSeverities(severityTable, front?.overrides ?? null, this.#report);
    const escalation = escalationTable === undefined ? [] : readEscalation(escalationTable, this.#report);
    const playbooks = this.#playbooks();
    if (front === null) return null;
    return {
      path,
      title: front.runbook,
      status: front.status,
      owner: front.owner,
      lastDrill: front.lastDrill,
      severities,
      escalation,
      playbooks,
      switches: this.switches,
      instance: this.#instances[0] ?? null,
      steps: this.steps,
      links: this.links,
    };
  }

  readItems(): void {
    let titles: string[] = [];
    for (const item of this.#outline.items) {
      if (item.kind === 'heading') {
        // Depth 2 has no title above it; a level that was left out stays empty.
        if (item.depth > 1)
          titles = [...Array.from({ length: item.depth - 2 }, (_, at) => titles[at] ?? ''), item.text];
        else titles = [];
        this.#sections.push({ line: item.line, titles, items: [] });
      } else {
        this.#sections.at(-1)?.items.push(item);
      }
      this.#refuseLineReferences(item);
      if (item.kind === 'block') this.#block(item, titles);
      if (item.kind === 'prose') {
        for (const target of item.links.filter((url) => !/^(?:[a-z][a-z0-9+.-]*:|#|\/\/)/i.test(url))) {
          this.links.push({ target, line: item.line });
        }
      }
    }
  }

  readonly #report = (line: number, message: string): void => {
    this.problems.push({ line, message });
  };

  #frontMatter(): z.infer<typeof FrontMatterSchema> | null {
    if (this.#outline.frontMatter === null) {
      this.#report(1, 'The document begins with front matter: runbook, status, owner and lastDrill between two ---');
      return null;
    }
    return this.#parse(FrontMatterSchema, this.#outline.frontMatter, 1, 'Front matter');
  }

  #block(item: Extract<OutlineItem, { kind: 'block' }>, titles: readonly string[]): void {
    if (item.info === 'yaml switch') {
      const parsed = this.#parse(SwitchSchema, item.text, item.line, 'Switch');
      if (parsed === null) return;
      if (parsed.on.value === parsed.off.value) this.#report(item.line, 'Switch: on and off have the same value');
      this.switches.push({ ...parsed, line: item.line });
    } else if (item.info === 'yaml instance') {
      const parsed = this.#parse(InstanceSchema, item.text, item.line, 'Instance');
      if (parsed !== null) this.#instances.push({ ...parsed, line: item.line });
    } else if (item.info === 'yaml step') {
      this.#step(item, titles);
    } else if (/\b(?:step|switch|instance)\b/.test(item.info)) {
      // A misspelt fence would take the step out of every check without a word.
      this.#report(item.line, 'The fence says `yaml step`, `yaml switch` or `yaml instance`, and nothing else');
    }
  }

  #step(item: Extract<OutlineItem, { kind: 'block' }>, titles: readonly string[]): void {
    const { value, problems } = readYaml(item.text);
    for (const { line, message } of problems) this.#report(item.line + line, `Step: ${message}`);
    if (problems.length > 0) return;
    const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
    const types = STEP_TYPES.filter((type) => keys.includes(type));
    const [type] = types;
    if (type === undefined || types.length > 1) {
      this.#report(item.line, `A step has exactly one of ${STEP_TYPES.join(', ')}`);
      return;
    }
    const parsed = stepSchema(type).safeParse(value);
    if (!parsed.success) {
      for (const issue of describeIssues(parsed.error)) this.#report(item.line, `Step ${type}: ${issue}`);
      return;
    }
    if (this.steps.length === MAX_STEPS) {
      this.#report(item.line, `A runbook has at most ${MAX_STEPS} steps`);
      return;
    }
    const placed = { type, line: item.line, heading: titles.join(' / '), phase: phaseOf(titles[0] ?? '') };
    this.steps.push({ ...(parsed.data as object), ...placed } as Step); // the schema is the type's own
  }

  #parse<T>(schema: z.ZodType<T>, text: string, firstLine: number, what: string): T | null {
    const { value, problems } = readYaml(text);
    for (const { line, message } of problems) this.#report(firstLine + line, `${what}: ${message}`);
    if (problems.length > 0) return null;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const issue of describeIssues(parsed.error)) this.#report(firstLine, `${what}: ${issue}`);
    return null;
  }

  /** Each of the sections is there once, and says something. */
  #requireSection(name: string): void {
    const found = this.#sections.filter(({ titles }) => titles.length === 1 && slug(titles[0]!) === slug(name));
    if (found.length !== 1) {
      this.#report(found[1]?.line ?? 1, `There is one section "## ${name}", with what belongs in it`);
      return;
    }
    const phase = phaseOf(name);
    if (phase !== null && !this.steps.some((step) => step.phase === phase)) {
      this.#report(found[0]!.line, `"## ${name}" has no step; prose alone cannot be verified or drilled`);
    }
  }

  #table(name: string): Extract<OutlineItem, { kind: 'table' }> | undefined {
    const section = this.#sections.find(({ titles }) => titles.length === 1 && slug(titles[0]!) === slug(name));
    const table = section?.items.find((item) => item.kind === 'table');
    if (section !== undefined && table === undefined) this.#report(section.line, `"## ${name}" has no table`);
    return table;
  }

  #playbooks(): string[] {
    const inside = this.#sections.filter(({ titles }) => titles[0] === 'Playbooks');
    const playbooks = inside.filter(({ titles }) => titles.length === 2);
    const names = playbooks.map(({ titles }) => titles[1]!);
    if (inside.length > 0 && playbooks.length === 0)
      this.#report(inside[0]!.line, 'There is no playbook (### heading)');
    for (const { line, titles } of playbooks) {
      if (titles[1] === '') this.#report(line, 'The playbook has no name');
      if (names.indexOf(titles[1]!) !== names.lastIndexOf(titles[1]!)) {
        this.#report(line, 'Two playbooks have the same heading');
      }
      for (const part of PLAYBOOK_PARTS) {
        const found = inside.find((section) => section.titles[1] === titles[1] && section.titles[2] === part);
        if (found === undefined || found.items.length === 0) {
          this.#report(found?.line ?? line, `The playbook has no "#### ${part}", or nothing in it`);
        } else if (part === 'Response time' && !/\bSEV[1-4]\b/.test(textOf(found))) {
          this.#report(found.line, 'The response time names the severity: SEV1, SEV2, SEV3 or SEV4');
        }
      }
    }
    return names;
  }

  #checkSwitchOf(step: Step): void {
    if (step.type !== 'env-flag') return;
    const declared = this.switches.filter((known) => known.switch === step['env-flag']).length;
    if (declared === 1) return;
    this.#report(
      step.line,
      `Step env-flag: the switch is described by ${declared} \`yaml switch\` blocks of this runbook, not one`,
    );
  }

  #refuseLineReferences(item: OutlineItem): void {
    const texts = {
      heading: () => (item.kind === 'heading' ? [item.text] : []),
      block: () => (item.kind === 'block' ? item.text.split('\n') : []),
      table: () => (item.kind === 'table' ? item.rows.flatMap(({ cells }) => cells) : []),
      prose: () => (item.kind === 'prose' ? [...item.text.split('\n'), ...item.links] : []),
    }[item.kind]();
    if (texts.some((text) => LINE_REFERENCE.test(text))) {
      this.#report(item.line, 'A line number is named; name the symbol instead, it survives edits');
    }
  }
}

const textOf = (section: Section): string =>
  section.items.map((item) => (item.kind === 'prose' || item.kind === 'block' ? item.text : '')).join('\n');
