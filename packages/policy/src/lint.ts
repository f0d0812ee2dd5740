/**
 * What is wrong with a policy beyond its shape (G-08). Findings are in the order of the file. An
 * ERROR refuses to load: a policy that may not mean what it says is worse than the last good one.
 */
import { parseMaintenanceWindow } from '@holdfast/core';
import { resolveNames } from './compiled-policy.ts';
import { compilePattern } from './constraint.ts';
import type { PolicyFinding } from './finding.ts';
import { coversPattern } from './operation-pattern.ts';
import type { Constraint, PolicyDocument, Rule } from './policy-schema.ts';
import { DEFAULT_SANDBOX_PROFILE, SANDBOX_LAYERS } from './sandbox-profile.ts';

type Report = (severity: PolicyFinding['severity'], code: string, path: string, message: string) => void;

function lintNames(document: PolicyDocument, report: Report): void {
  const sections = [
    'principals',
    'rules',
    'reads',
    'commands',
    'profiles',
    'rateLimits',
    'windows',
    'approvals',
    'decoys',
  ] as const;
  for (const section of sections) {
    const seen = new Set<string>();
    document[section].forEach(({ name }, index) => {
      if (seen.has(name))
        report('ERROR', 'duplicate-name', `${section}.${index}.name`, `a second ${name} in ${section}`);
      seen.add(name);
    });
  }
  const principals = new Set(document.principals.map(({ name }) => name));
  for (const [group, members] of Object.entries(document.groups)) {
    if (principals.has(group)) report('ERROR', 'duplicate-name', `groups.${group}`, `${group} is also a principal`);
    if (members.length === 0) report('WARN', 'empty-group', `groups.${group}`, 'a group without members');
    for (const member of members) {
      if (!principals.has(member)) report('ERROR', 'unknown-principal', `groups.${group}`, `no principal ${member}`);
    }
  }
  for (const section of ['rules', 'reads', 'rateLimits'] as const) {
    document[section].forEach((entry, index) => {
      for (const name of entry.principals) {
        if (principals.has(name) || Object.hasOwn(document.groups, name)) continue;
        report('ERROR', 'unknown-principal', `${section}.${index}.principals`, `no principal or group ${name}`);
      }
    });
  }
}

function lintConstraint(constraint: Constraint, path: string, report: Report): void {
  if ('min' in constraint && constraint.min > constraint.max) {
    report('ERROR', 'empty-range', path, 'the range has no value in it');
  }
  if ('pattern' in constraint) lintPattern(constraint.pattern, path, report);
}

function lintPattern(pattern: string, path: string, report: Report): void {
  try {
    compilePattern(pattern);
  } catch {
    report('ERROR', 'bad-pattern', path, 'the pattern does not compile'); // the engine's own text would repeat the value
    return;
  }
  if (['.*', '.+', '[^]*'].includes(pattern)) report('WARN', 'open-pattern', path, 'the pattern matches anything');
}

/** Whether `earlier` alone already decides everything `later` could decide. */
function shadows(earlier: Rule, later: Rule): boolean {
  if (Object.keys(earlier.params).length > 0) return false;
  const stricterOrSame = earlier.effect === later.effect || earlier.effect === 'deny' || later.effect === 'allow';
  return (
    stricterOrSame &&
    later.principals.every((name) => earlier.principals.includes(name)) &&
    later.operations.every((inner) => earlier.operations.some((outer) => coversPattern(outer, inner)))
  );
}

function lintRules(document: PolicyDocument, report: Report): void {
  const commands = new Set(document.commands.map(({ name }) => name));
  const unconditional = document.rules.filter((rule) => Object.keys(rule.params).length === 0);
  document.rules.forEach((rule, index) => {
    const path = `rules.${index}`;
    if (rule.operations.includes('*')) {
      report('ERROR', 'grants-everything', `${path}.operations`, '`*` alone is no operation: name areas');
    }
    if (rule.effect === 'allow' && rule.operations.includes('exec.*')) {
      report('ERROR', 'grants-everything', `${path}.operations`, 'commands are granted by name');
    }
    for (const operation of rule.operations) {
      if (operation.startsWith('exec.') && operation !== 'exec.*' && !commands.has(operation)) {
        report('WARN', 'unreachable-rule', `${path}.operations`, `no command ${operation} is declared`);
      }
    }
    if (resolveNames(document, rule.principals).length === 0) {
      report('WARN', 'unreachable-rule', path, 'the rule stands for no principal');
    }
    for (const [name, constraint] of Object.entries(rule.params)) {
      lintConstraint(constraint, `${path}.params.${name}`, report);
    }
    const shadow = unconditional.find(
      (other) =>
        other !== rule && shadows(other, rule) && (!shadows(rule, other) || document.rules.indexOf(other) < index),
    );
    if (shadow !== undefined)
      report('WARN', 'shadowed-rule', path, `${shadow.name} decides all that ${rule.name} could`);
  });
  if (document.rules.some((rule) => rule.effect === 'needs-approval') && document.approvals.length === 0) {
    report('WARN', 'no-approvers', 'approvals', 'a rule waits for approvals that nobody can give: it denies');
  }
  if (document.rules.length === 0)
    report('INFO', 'no-rules', 'rules', 'everything but `status` and the granted reads is denied');
}

function lintCommands(document: PolicyDocument, report: Report): void {
  const profiles = new Set([DEFAULT_SANDBOX_PROFILE, ...document.profiles].map(({ name }) => name));
  document.commands.forEach((command, index) => {
    const path = `commands.${index}`;
    if (!profiles.has(command.profile)) {
      report('ERROR', 'unknown-profile', `${path}.profile`, `no profile ${command.profile}`);
    }
    const used = new Set<string>();
    for (const element of command.argv) {
      const name = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/.exec(element)?.[1];
      if (name === undefined) {
        // G-10: a parameter fills a whole element or nothing.
        if (/\{[A-Za-z]/.test(element))
          report('ERROR', 'partial-element', `${path}.argv`, 'a parameter fills whole elements');
        continue;
      }
      used.add(name);
      if (!Object.hasOwn(command.params, name))
        report('ERROR', 'unknown-parameter', `${path}.argv`, `no parameter ${name}`);
    }
    for (const [name, param] of Object.entries(command.params)) {
      if (!used.has(name))
        report('ERROR', 'unused-parameter', `${path}.params.${name}`, 'no element takes the parameter');
      if (param.type === 'string') lintPattern(param.pattern, `${path}.params.${name}`, report);
      if (param.type === 'integer')
        lintConstraint({ min: param.min, max: param.max }, `${path}.params.${name}`, report);
    }
  });
}

/** what a profile gives up of the default's walls is said, each time the policy is read. */
function lintProfiles(document: PolicyDocument, report: Report): void {
  const used = new Set(document.commands.map(({ profile }) => profile));
  document.profiles.forEach(({ name, network, require, user }, index) => {
    const path = `profiles.${index}`;
    if (name === DEFAULT_SANDBOX_PROFILE.name) {
      report('ERROR', 'duplicate-name', `${path}.name`, 'the profile `default` is built in and has one meaning');
    }
    if (user === 'root') report('ERROR', 'root-profile', `${path}.user`, 'nothing in a sandbox runs as root');
    if (network === 'host') {
      report('WARN', 'weak-profile', `${path}.network`, 'weaker than default: reaches all that the host reaches');
    }
    const optional = SANDBOX_LAYERS.filter((layer) => !require.includes(layer));
    if (optional.length > 0) {
      const layers = optional.join(', ');
      report('WARN', 'weak-profile', `${path}.require`, `weaker than default: runs also without ${layers}`);
    }
    if (!used.has(name)) report('INFO', 'unused-profile', path, `no command runs under ${name}`);
  });
}

function lintWindows(document: PolicyDocument, report: Report): void {
  document.windows.forEach((entry, index) => {
    try {
      parseMaintenanceWindow(entry.schedule);
    } catch {
      report('ERROR', 'bad-window', `windows.${index}.schedule`, 'the schedule is no maintenance window');
    }
  });
  if (document.windows.length === 0 && document.rules.length > 0) {
    report('INFO', 'no-window', 'windows', 'disruptive operations never run');
  }
}

/** Findings about a document whose shape is already right. */
export function lintPolicy(document: PolicyDocument): PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const report: Report = (severity, code, path, message) => findings.push({ severity, code, path, message });
  lintNames(document, report);
  lintRules(document, report);
  lintCommands(document, report);
  lintProfiles(document, report);
  lintWindows(document, report);
  return findings;
}
