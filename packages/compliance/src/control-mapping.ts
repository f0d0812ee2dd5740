/**
 * Which controls of which framework a check speaks to (C-17). Data: a baseline may say otherwise for
 * any framework. A check gives evidence for a part of a control, seldom for all of it.
 */

/** Where the ids come from. */
export const FRAMEWORKS = {
  'cis-debian-12': {
    title: 'CIS Debian Linux 12 Benchmark',
    version: '1.1.0',
    source: 'https://www.cisecurity.org/benchmark/debian_linux',
  },
  'iso-27001': { title: 'ISO/IEC 27001 Annex A', version: '2022', source: 'https://www.iso.org/standard/27001' },
  hipaa: {
    title: 'HIPAA Security Rule, 45 CFR Part 164 Subpart C',
    version: '2013',
    source: 'https://www.ecfr.gov/current/title-45/part-164/subpart-C',
  },
} as const;

type Framework = keyof typeof FRAMEWORKS;

/** By check name; a check that is not here has no controls until a baseline gives it some. */
const CONTROLS: Readonly<Record<string, Readonly<Record<Framework, readonly string[]>>>> = {
  firewall: { 'cis-debian-12': ['4.1', '4.3'], 'iso-27001': ['A.8.20', 'A.8.22'], hipaa: ['164.312(e)(1)'] },
  services: { 'cis-debian-12': ['2.1'], 'iso-27001': ['A.8.9'], hipaa: ['164.308(a)(1)(ii)(D)'] },
  logging: { 'cis-debian-12': ['6.1'], 'iso-27001': ['A.8.15'], hipaa: ['164.312(b)'] },
  files: { 'cis-debian-12': ['6.3', '7.1'], 'iso-27001': ['A.8.9'], hipaa: ['164.312(c)(1)'] },
  ports: { 'cis-debian-12': ['2.1.22'], 'iso-27001': ['A.8.20'], hipaa: ['164.312(e)(1)'] },
  accounts: {
    'cis-debian-12': ['5.4.2.1', '7.2.2'],
    'iso-27001': ['A.5.18', 'A.8.2'],
    hipaa: ['164.312(a)(1)', '164.312(d)'],
  },
  time_sync: { 'cis-debian-12': ['2.3'], 'iso-27001': ['A.8.17'], hipaa: ['164.312(b)'] },
  certificates: { 'cis-debian-12': [], 'iso-27001': ['A.8.24'], hipaa: ['164.312(e)(2)(ii)'] },
};

/** The default mapping with what a baseline says instead; frameworks without a control are left out. */
export function controlsOf(
  check: string,
  overrides: Readonly<Record<string, readonly string[]>>,
): Record<string, string[]> {
  const defaults = Object.hasOwn(CONTROLS, check) ? CONTROLS[check] : {};
  const merged: Readonly<Record<string, readonly string[]>> = { ...defaults, ...overrides };
  return Object.fromEntries(
    Object.entries(merged)
      .filter(([, ids]) => ids.length > 0)
      .map(([framework, ids]) => [framework, [...ids]]),
  );
}
