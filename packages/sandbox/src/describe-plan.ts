/** A compiled profile in words: everything that is put on, in order. No value of the environment, which may be secret. */
import { describeFileRights } from './landlock/compile-landlock.ts';
import { jobSteps, setUpSteps } from './plan-job.ts';
import type { CompiledProfile } from './plan.ts';

const LINE_CHARS = 100;
const INDENT = ' '.repeat(10);

export function describePlan(compiled: CompiledProfile): string {
  const { profile, features, landlock } = compiled;
  const steps = [...setUpSteps(compiled, false).child, ...jobSteps(compiled, { argv: ['COMMAND'] })];
  const network = typeof profile.network === 'string' ? [profile.network] : profile.network.endpoints;
  return [
    ...list('profile', [profile.name]),
    ...list('sha256', [compiled.hash]),
    ...list('kernel', [features.architecture, `Landlock ABI ${features.landlockAbi}`]),
    ...list('user', [profile.user]),
    ...list('layers', compiled.layers),
    ...list('requires', profile.require),
    ...list(
      'network',
      network.map((at) => (typeof at === 'string' ? at : `${at.host}:${at.port}`)),
    ),
    ...list(
      'limits',
      Object.entries(profile.limits).map(([name, value]) => `${name} ${value}`),
    ),
    ...list('env', Object.keys(profile.env)),
    ...list('hidden', profile.files.hidden.length === 0 ? ['nothing more'] : profile.files.hidden),
    'files',
    ...landlock.files.map(({ path, allowed }) => `  ${path}: ${describeFileRights(allowed)}`),
    ...list('seccomp', [`${compiled.seccomp.length / 8} instructions`]),
    'steps',
    ...steps.filter(({ name }) => !/^signal \d/.test(name)).map(({ name, call }) => `  ${name} (${call})`),
    '',
  ].join('\n');
}

/** `name` in front, the items behind it, broken between items. */
function list(name: string, items: readonly string[]): readonly string[] {
  const lines = [''];
  for (const [at, item] of items.entries()) {
    const text = at === items.length - 1 ? item : `${item}, `;
    const last = lines.at(-1) ?? '';
    if (last !== '' && INDENT.length + last.length + text.trimEnd().length > LINE_CHARS) lines.push(text);
    else lines[lines.length - 1] = `${last}${text}`;
  }
  return lines.map((line, at) => `${at === 0 ? name.padEnd(INDENT.length) : INDENT}${line}`.trimEnd());
}
