/**
 * What a lab host is built with, as data: its files, and the facts about them that a baseline or a
 * break needs. Every built-in check has something real to look at: a default-deny ruleset, two
 * services, configuration files with different owners and modes, a person's account, a TLS
 * certificate in use, three time sources.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { selfSignedCertificate } from './certificate.ts';
import type { LabInventory } from './lab.ts';

/** User and group of the agent. Above every range that distributions give out by themselves, below systemd's dynamic one. */
export const AGENT_ID = 60_500;
const DEMO_USER_ID = 60_501;
/** Who confined commands run as. */
const SANDBOX_USER_ID = 60_502;

const DAY_MS = 86_400_000;

const SERVICES = ['demo-web.service', 'demo-worker.service'] as const;
const FIREWALL_FILE = '/etc/nftables.conf';
const CERTIFICATE_FILE = '/etc/demo-app/tls.crt';

/** What a lab host is made of; the same on every one. */
export const DEMO = {
  services: SERVICES,
  files: ['/etc/demo-app/demo-app.conf', '/etc/demo-app/limits.conf', FIREWALL_FILE],
  user: 'demo',
  certificateFile: CERTIFICATE_FILE,
  certificatePort: { address: '127.0.0.1', port: 8443 },
  firewallFile: FIREWALL_FILE,
  journalUnit: 'systemd-journald.service',
} as const;

export const DEMO_INVENTORY: Omit<LabInventory, 'timeSources'> = {
  units: ['nftables.service', ...SERVICES],
  loggingUnits: [DEMO.journalUnit],
  files: DEMO.files,
  certificateFiles: [CERTIFICATE_FILE],
  certificatePorts: [DEMO.certificatePort],
};

export interface HostFile {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content: string;
}

function file(path: string, content: string, mode = 0o644, gid = 0): HostFile {
  return { path, mode, uid: 0, gid, content };
}

const RULESET = `#!/usr/sbin/nft -f
flush ruleset

table inet demo {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "lo" accept
    ip protocol icmp accept
    tcp dport 22 accept
    tcp dport { 8080, 8443 } accept
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
}
`;

const FIREWALL_UNIT = `[Unit]
Description=nftables
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/nftables.conf
ExecReload=/usr/sbin/nft -f /etc/nftables.conf
ExecStop=/usr/sbin/nft flush ruleset

[Install]
WantedBy=sysinit.target
`;

/** Says when it listens, so that whoever starts it finds its ports open; takes a new certificate without an end. */
const WEB_PROGRAM = `import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { hostname } from 'node:os';
const answer = (request, response) => response.end(\`hello from \${hostname()}\\n\`);
const load = () => ({ key: readFileSync('/etc/demo-app/tls.key'), cert: readFileSync('/etc/demo-app/tls.crt') });
const plain = createServer(answer).listen(8080, '0.0.0.0');
const tls = createTlsServer(load(), answer).listen(8443, '0.0.0.0');
process.on('SIGHUP', () => tls.setSecureContext(load()));
await Promise.all([once(plain, 'listening'), once(tls, 'listening')]);
execFileSync('/usr/bin/systemd-notify', ['--ready']);
console.log('serving');
`;

const WEB_UNIT = `[Unit]
Description=Demo web service
After=network.target

[Service]
Type=notify
NotifyAccess=all
ExecStart=/opt/holdfast/node_modules/.bin/node --max-old-space-size=32 --v8-pool-size=0 /usr/local/lib/demo-web.mjs
ExecReload=/usr/bin/kill -HUP $MAINPID

[Install]
WantedBy=multi-user.target
`;

const WORKER_UNIT = `[Unit]
Description=Demo background worker

[Service]
ExecStart=/usr/bin/sleep infinity

[Install]
WantedBy=multi-user.target
`;

/** Text of the machine's own account files, which the lab host starts from. */
export interface AccountFiles {
  readonly passwd: string;
  readonly shadow: string;
  readonly group: string;
}

/** Adds `lines` after dropping entries of the same name, or of the same number: names and numbers stay unique. */
function withEntries(text: string, lines: readonly string[]): string {
  const names = new Set(lines.map((line) => line.split(':')[0]));
  const numbers = new Set([AGENT_ID, DEMO_USER_ID, SANDBOX_USER_ID].map(String));
  const kept = text.split('\n').filter((line) => {
    const [name = '', , number = ''] = line.split(':');
    return line !== '' && !names.has(name) && !numbers.has(number);
  });
  return [...kept, ...lines, ''].join('\n');
}

function withMember(group: string, name: string, member: string): string {
  return group
    .split('\n')
    .map((line) => {
      const [entry, password, gid, members = ''] = line.split(':');
      if (entry !== name) return line;
      const all = [...members.split(',').filter((other) => other !== '' && other !== member), member];
      return [entry, password, gid, all.join(',')].join(':');
    })
    .join('\n');
}

function accountFiles(machine: AccountFiles): HostFile[] {
  const passwd = withEntries(machine.passwd, [
    `holdfast:x:${AGENT_ID}:${AGENT_ID}:Holdfast agent:/var/lib/holdfast/agent:/usr/sbin/nologin`,
    `demo:x:${DEMO_USER_ID}:${DEMO_USER_ID}:A person:/home/demo:/bin/bash`,
    `holdfast-sandbox:x:${SANDBOX_USER_ID}:${SANDBOX_USER_ID}:Holdfast confined commands:/nonexistent:/usr/sbin/nologin`,
  ]);
  const shadow = withEntries(machine.shadow, [
    'holdfast:!*:20000::::::',
    'demo:!:20000:0:99999:7:::',
    'holdfast-sandbox:!*:20000::::::',
  ]);
  const group = withEntries(machine.group, [
    `holdfast:x:${AGENT_ID}:`,
    `demo:x:${DEMO_USER_ID}:`,
    `holdfast-sandbox:x:${SANDBOX_USER_ID}:`,
  ]);
  const shadowGid = Number(/^shadow:[^:]*:(\d+):/m.exec(machine.group)?.[1] ?? 0);
  return [
    file('/etc/passwd', passwd),
    file('/etc/shadow', shadow, 0o640, shadowGid),
    file('/etc/group', withMember(group, 'systemd-journal', 'holdfast')),
  ];
}

export interface DemoOptions {
  readonly hostName: string;
  /** 32 hexadecimal digits; machine-id(5). */
  readonly machineId: string;
  readonly nowMs: number;
  readonly machine: AccountFiles;
}

/** Every file that a lab host has besides the machine's own. Parents come before what is in them. */
export function demoFiles(options: DemoOptions): HostFile[] {
  const { hostName, machineId, nowMs, machine } = options;
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  const name = `${hostName}.lab.internal`;
  return [
    file('/etc/hostname', `${hostName}\n`),
    file('/etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${name} ${hostName}\n::1 localhost\n`),
    file('/etc/machine-id', `${machineId}\n`, 0o444),
    file('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n'),
    file('/etc/systemd/journald.conf', '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nForwardToConsole=no\n'),
    // Whoever breaks and heals a host all day starts its units more often than the default allows.
    file('/etc/systemd/system.conf', '[Manager]\nDefaultStartLimitIntervalSec=0\nShowStatus=no\n'),
    ...accountFiles(machine),
    file(DEMO.firewallFile, RULESET),
    file('/etc/demo-app/demo-app.conf', `[demo]\nlisten = 8080\nname = ${hostName}\nlog_level = info\n`),
    file('/etc/demo-app/limits.conf', 'max_clients = 64\nsecret_rotation_days = 30\n', 0o600),
    file('/etc/demo-app/tls.key', key, 0o600),
    file(DEMO.certificateFile, demoCertificate(key, name, 1, nowMs - DAY_MS, nowMs + 365 * DAY_MS)),
    file('/usr/local/lib/demo-web.mjs', WEB_PROGRAM),
    file('/etc/systemd/system/nftables.service', FIREWALL_UNIT),
    file('/etc/systemd/system/demo-web.service', WEB_UNIT),
    file('/etc/systemd/system/demo-worker.service', WORKER_UNIT),
  ];
}

/** A certificate over the demo's own key, so that the service goes on working with it. */
export function demoCertificate(
  keyPem: string,
  name: string,
  serial: number,
  notBeforeMs: number,
  notAfterMs: number,
): string {
  return selfSignedCertificate({ name, key: createPrivateKey(keyPem), serial, notBeforeMs, notAfterMs });
}
