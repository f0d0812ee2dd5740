/**
 * The drift generator (C-43): for every check, ways to break what it looks at, and the way back.
 *
 * Pure planning: a break is chosen by its seed and comes out as commands to be run inside the host
 * and offsets for the lab's time sources. What is planned is always something that happens to real
 * hosts, and that a host put back to what it was built with no longer has.
 */
import { AGENT_ID, DEMO, demoCertificate, type HostFile } from './demo-content.ts';
import type { BreakableCheck } from './lab.ts';

const DAY_MS = 86_400_000;

export type DriftStep =
  | {
      readonly kind: 'exec';
      readonly argv: readonly [string, ...string[]];
      readonly stdin?: string;
      readonly mayFail?: true;
    }
  | { readonly kind: 'write'; readonly file: HostFile }
  /** Offsets of the lab's time sources for this host, in their order. */
  | { readonly kind: 'time'; readonly offsetsMs: readonly number[] };

export interface DriftPlan {
  readonly variant: string;
  readonly description: string;
  readonly steps: readonly DriftStep[];
}

/** What the plan has to know of the host: what it was built with. */
export interface HostFacts {
  readonly name: string;
  readonly files: readonly HostFile[];
  readonly nowMs: number;
}

/** Fails when there is none, which is as good. */
const STOP_LISTENER: DriftStep = {
  kind: 'exec',
  argv: ['/usr/bin/systemctl', 'stop', 'lab-listener.socket', 'lab-listener.service'],
  mayFail: true,
};
const JOURNAL_UNITS = [
  'systemd-journald.socket',
  'systemd-journald-dev-log.socket',
  'systemd-journald-audit.socket',
  'systemd-journald.service',
] as const;

/** It serves the certificate that it finds; when it is not running, there is nothing to do. */
const RELOAD_WEB: DriftStep = { kind: 'exec', argv: ['/usr/bin/systemctl', 'try-reload-or-restart', DEMO.services[0]] };

function exec(...argv: readonly [string, ...string[]]): DriftStep {
  return { kind: 'exec', argv };
}

function nft(...args: readonly string[]): DriftStep {
  return exec('/usr/sbin/nft', ...args);
}

function systemctl(...args: readonly string[]): DriftStep {
  return exec('/usr/bin/systemctl', ...args);
}

/** xorshift32, Marsaglia 2003: seeds give the same draws everywhere, for ever. */
function drawsOf(seed: number): (below: number) => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

function fileNamed(facts: HostFacts, path: string): HostFile {
  const found = facts.files.find((file) => file.path === path);
  if (found === undefined) throw new TypeError(`lab hosts are built with ${path}`);
  return found;
}

type Variant = (draw: (below: number) => number, facts: HostFacts) => DriftPlan;

/** Picks one of the files that the demo lists, the ruleset left out: that one is the firewall's. */
function pickFile(draw: (below: number) => number): string {
  const files = DEMO.files.filter((path) => path !== DEMO.firewallFile);
  return files[draw(files.length)] ?? DEMO.files[0];
}

/** systemd opens the socket itself, so it listens as soon as the command is through. */
function listener(variant: string, address: string, socket: 'ListenStream' | 'ListenDatagram'): Variant {
  return (draw) => {
    const port = 20_000 + draw(20_000);
    const property = `--socket-property=${socket}=${address}:${port}`;
    return {
      variant,
      description: `an unknown program listens on port ${port} of ${address}`,
      steps: [
        STOP_LISTENER,
        exec('/usr/bin/systemd-run', '--quiet', '--collect', '--unit=lab-listener', property, '/usr/bin/cat'),
      ],
    };
  };
}

function certificate(variant: string, description: string, fromDays: number, toDays: number): Variant {
  return (draw, facts) => {
    const old = fileNamed(facts, DEMO.certificateFile);
    const key = fileNamed(facts, '/etc/demo-app/tls.key').content;
    const content = demoCertificate(
      key,
      `${facts.name}.lab.internal`,
      2 + draw(1_000_000),
      facts.nowMs + fromDays * DAY_MS,
      facts.nowMs + toDays * DAY_MS,
    );
    return {
      variant,
      description,
      steps: [{ kind: 'write', file: { ...old, content } }, RELOAD_WEB],
    };
  };
}

function time(variant: string, description: string, offsets: (shiftMs: number) => readonly number[]): Variant {
  return (draw) => {
    const shiftMs = 5_000 + draw(60_000);
    return { variant, description, steps: [{ kind: 'time', offsetsMs: offsets(shiftMs) }] };
  };
}

function appendLine(facts: HostFacts, path: string, line: string): DriftStep {
  const old = fileNamed(facts, path);
  return { kind: 'write', file: { ...old, content: `${old.content}${line}\n` } };
}

const VARIANTS: Record<BreakableCheck, readonly Variant[]> = {
  firewall: [
    () => ({ variant: 'flushed', description: 'the whole ruleset is gone', steps: [nft('flush', 'ruleset')] }),
    () => ({
      variant: 'accept-all',
      description: 'the first rule of the input chain accepts everything',
      steps: [nft('insert', 'rule', 'inet', 'demo', 'input', 'accept')],
    }),
    () => ({
      variant: 'policy-accept',
      description: 'the input chain accepts what no rule names',
      steps: [nft('chain', 'inet', 'demo', 'input', '{ policy accept ; }')],
    }),
    (draw) => {
      const port = String(20_000 + draw(20_000));
      return {
        variant: 'open-port',
        description: `tcp port ${port} is open to everybody`,
        steps: [nft('add', 'rule', 'inet', 'demo', 'input', 'tcp', 'dport', port, 'accept')],
      };
    },
  ],
  services: [
    () => ({
      variant: 'web-stopped',
      description: 'demo-web is stopped',
      steps: [systemctl('stop', DEMO.services[0])],
    }),
    () => ({
      variant: 'worker-stopped',
      description: 'demo-worker is stopped',
      steps: [systemctl('stop', DEMO.services[1])],
    }),
    () => ({
      variant: 'web-killed',
      description: 'demo-web was killed and has failed',
      steps: [systemctl('kill', '--signal=SIGKILL', DEMO.services[0])],
    }),
  ],
  logging: [
    () => ({
      variant: 'journal-frozen',
      description: 'the journal takes lines and does nothing with them',
      steps: [systemctl('kill', '--signal=SIGSTOP', DEMO.journalUnit)],
    }),
    () => ({
      variant: 'journal-stopped',
      description: 'nothing listens for log lines',
      steps: [systemctl('stop', ...JOURNAL_UNITS)],
    }),
  ],
  files: [
    (draw, facts) => {
      const path = pickFile(draw);
      return {
        variant: 'content',
        description: `${path} has one line more`,
        steps: [appendLine(facts, path, `debug_token = ${draw(1_000_000)}`)],
      };
    },
    (draw) => {
      const path = pickFile(draw);
      return {
        variant: 'mode',
        description: `${path} is writable for all`,
        steps: [exec('/usr/bin/chmod', '0666', path)],
      };
    },
    (draw) => {
      const path = pickFile(draw);
      return {
        variant: 'owner',
        description: `${path} belongs to the agent's user`,
        steps: [exec('/usr/bin/chown', `${AGENT_ID}:${AGENT_ID}`, path)],
      };
    },
    (draw) => {
      const path = pickFile(draw);
      return { variant: 'deleted', description: `${path} is gone`, steps: [exec('/usr/bin/rm', '-f', path)] };
    },
  ],
  ports: [
    listener('tcp', '0.0.0.0', 'ListenStream'),
    listener('tcp6', '[::]', 'ListenStream'),
    listener('udp', '0.0.0.0', 'ListenDatagram'),
  ],
  accounts: [
    (draw, facts) => {
      const name = `admin${draw(1000)}`;
      return {
        variant: 'second-root',
        description: `account ${name} has uid 0`,
        steps: [
          appendLine(facts, '/etc/passwd', `${name}:x:0:0::/root:/bin/bash`),
          appendLine(facts, '/etc/shadow', `${name}:!:20000::::::`),
        ],
      };
    },
    (_draw, facts) => {
      const shadow = fileNamed(facts, '/etc/shadow');
      const content = shadow.content.replace(/^demo:[^:]*:/m, 'demo::');
      return {
        variant: 'empty-password',
        description: 'account demo may log in without a password',
        steps: [{ kind: 'write', file: { ...shadow, content } }],
      };
    },
  ],
  time_sync: [
    time('ahead', 'all time sources agree that this host is behind', (shift) => [shift, shift, shift]),
    time('behind', 'all time sources agree that this host is ahead', (shift) => [-shift, -shift, -shift]),
    time('majority', 'two of three time sources agree that this host is behind', (shift) => [shift, 0, shift]),
  ],
  certificates: [
    certificate('expires-tomorrow', 'the TLS certificate expires tomorrow', -364, 1),
    certificate('expired', 'the TLS certificate expired yesterday', -365, -1),
    certificate('not-yet-valid', 'the TLS certificate is not valid before next week', 7, 365),
  ],
};

/** How many variants a check has: seeds 0 … n-1 give each of them once. */
export function countVariants(check: BreakableCheck): number {
  return VARIANTS[check].length;
}

/** @param seed any integer; the same seed gives the same variant with the same details */
export function planBreak(check: BreakableCheck, seed: number, facts: HostFacts): DriftPlan {
  const variants = VARIANTS[check];
  const variant = variants[((seed % variants.length) + variants.length) % variants.length];
  if (variant === undefined) throw new TypeError('a seed is an integer');
  return variant(drawsOf(seed), facts);
}

function rewrite(facts: HostFacts, ...paths: readonly string[]): DriftStep[] {
  return paths.map((path) => ({ kind: 'write', file: fileNamed(facts, path) }));
}

const MENDS: Record<BreakableCheck, (facts: HostFacts) => DriftStep[]> = {
  firewall: (facts) => [...rewrite(facts, DEMO.firewallFile), nft('-f', DEMO.firewallFile)],
  services: () => [systemctl('reset-failed'), systemctl('start', ...DEMO.services)],
  logging: () => [systemctl('restart', DEMO.journalUnit), systemctl('start', ...JOURNAL_UNITS.slice(0, 2))],
  files: (facts) => rewrite(facts, ...DEMO.files),
  ports: () => [STOP_LISTENER],
  accounts: (facts) => rewrite(facts, '/etc/passwd', '/etc/shadow', '/etc/group'),
  time_sync: () => [{ kind: 'time', offsetsMs: [] }],
  certificates: (facts) => [...rewrite(facts, DEMO.certificateFile), RELOAD_WEB],
};

/** Puts back what the host was built with, whatever broke it. */
export function planMend(check: BreakableCheck, facts: HostFacts): DriftStep[] {
  return MENDS[check](facts);
}
