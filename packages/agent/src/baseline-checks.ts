/** The checks of `@holdfast/compliance` as the agent's port: the baseline is read and verified anew for each pass (C-03). */
import type { Trust } from '@holdfast/api';
import {
  checksOf,
  complianceOperations,
  type CustomCheckRunner,
  judgeClock,
  listBaselineFiles,
  listCustomCheckFiles,
  type LoadedBaseline,
  loadBaseline,
  MAX_TIME_SOURCES,
  openCheckModules,
  remediationPolicyOf,
  runChecks,
} from '@holdfast/compliance';
import type { HostReader } from '@holdfast/host';
import type { Checks } from './ports.ts';

/** Whose time sources judge the clock. */
const TIME_CHECK = 'time_sync';

export interface BaselineChecksDeps {
  readonly host: HostReader;
  /** `baseline.dsse.json`. */
  readonly baselinePath: string;
  /** `<digest>.check.dsse.json` of each custom check. */
  readonly modulesDirectory: string;
  readonly trust: Trust;
  /** `null` where nothing can confine WebAssembly: custom checks are unknown then. */
  readonly customCheckRunner: CustomCheckRunner | null;
}

function timeSourcesOf(loaded: LoadedBaseline): string[] {
  const sources = loaded.ok ? loaded.baseline.sections.get(TIME_CHECK)?.expectation['sources'] : undefined;
  if (!Array.isArray(sources)) return [];
  return sources.filter((source) => typeof source === 'string').slice(0, MAX_TIME_SOURCES);
}

export function openBaselineChecks(
  { host, baselinePath, modulesDirectory, trust, customCheckRunner: runner }: BaselineChecksDeps,
  options: { readonly ntpMaxSkewMs: number },
): Checks {
  const load = (): Promise<LoadedBaseline> => loadBaseline(baselinePath, trust.keys, host.clock.wallMs(), trust.hostId);
  const modules = openCheckModules(modulesDirectory, trust.keys);
  return {
    run: async (only, signal) => {
      const loaded = await load();
      const all = checksOf(loaded, { modules, runner });
      const checks = only === null ? all : new Map([...all].filter(([name]) => only.includes(name)));
      const results = await runChecks(loaded, { host, nowMs: host.clock.wallMs() }, signal, { checks });
      signal.throwIfAborted();
      const baseline = loaded.ok ? loaded.baseline : null;
      const operations = complianceOperations(baseline);
      return {
        results,
        baselineHash: loaded.ok ? loaded.hash : null,
        baselineProblem: loaded.ok ? null : `${loaded.code}: ${loaded.reason}`,
        policyOf: (check) => (baseline === null ? 'never' : remediationPolicyOf(baseline, check)),
        watched: [baselinePath, ...listBaselineFiles(baseline), ...listCustomCheckFiles(baseline)],
        isDisruptive: (operation) => operations.get(operation)?.disruptive ?? true,
      };
    },
    judgeClock: async (signal) => {
      const sources = timeSourcesOf(await load());
      const samples = sources.length === 0 ? [] : await host.timeSources.sample(sources, signal);
      const { status, offsetMs } = judgeClock(samples, { maxSkewMs: options.ntpMaxSkewMs });
      return { status, offsetMs };
    },
  };
}
