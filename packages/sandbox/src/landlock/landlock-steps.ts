/** A Landlock ruleset as the steps that put it on the calling process: landlock_create_ruleset(2) and its kin. */
import { type Step, cString, words } from '../launcher/job-table.ts';
import type { LandlockRuleset } from '../plan.ts';

const [RULE_PATH_BENEATH, RULE_NET_PORT] = [1, 2];
const AT_FDCWD = -100;
const O_PATH_CLOEXEC = 0o12_000_000;

/** `descriptor` is the first that is free: the ruleset gets it, and each path in turn the next. */
export function landlockSteps(ruleset: LandlockRuleset, descriptor: number): readonly Step[] {
  const attributes = words(ruleset.handledFiles, ruleset.handledNetwork, ruleset.scoped);
  // An older kernel takes a longer structure as long as what it does not know is zero.
  const create = {
    call: 'landlock_create_ruleset',
    args: [attributes, attributes.bytes.length, 0],
    expect: descriptor,
  };
  return [
    { name: 'landlock: ruleset', ...create },
    ...ruleset.files.flatMap(({ path, allowed }) => pathSteps(path, allowed, descriptor)),
    ...ruleset.ports.map(({ port, allowed }) => ({
      name: `landlock: port ${port}`,
      call: 'landlock_add_rule',
      args: [descriptor, RULE_NET_PORT, words(allowed, port), 0],
      expect: 0,
    })),
    { name: 'landlock: restrict', call: 'landlock_restrict_self', args: [descriptor, 0], expect: 0 },
    { name: 'landlock: close', call: 'close', args: [descriptor], expect: 0 },
  ];
}

function pathSteps(path: string, allowed: bigint, ruleset: number): readonly Step[] {
  const opened = ruleset + 1;
  // struct landlock_path_beneath_attr is packed: the rights, then a 32-bit descriptor.
  const rule = words(allowed, opened);
  return [
    {
      name: `landlock: open ${path}`,
      call: 'openat',
      args: [AT_FDCWD, cString(path), O_PATH_CLOEXEC, 0],
      expect: opened,
    },
    {
      name: `landlock: allow ${path}`,
      call: 'landlock_add_rule',
      args: [ruleset, RULE_PATH_BENEATH, rule, 0],
      expect: 0,
    },
    { name: `landlock: close ${path}`, call: 'close', args: [opened], expect: 0 },
  ];
}
