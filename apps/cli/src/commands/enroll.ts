/** `holdfast enroll`: identity for this host. The guard and agent start afterwards, by their units. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { hostPaths } from '@holdfast/api';
import { enrollHost } from '@holdfast/agent';
import { HoldfastError } from '@holdfast/core';
import { isSimulated, openHost, requireRoot, type RootOption } from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';
import { AGENT_USER, ensureSystemUser, SANDBOX_USER } from '../system-users.ts';

interface EnrollCommandOptions extends RootOption {
  readonly server: string;
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly name?: string | undefined;
  readonly label?: readonly string[] | undefined;
}

const STANDARD_INPUT = 0;

function readToken({ token, tokenFile }: EnrollCommandOptions): string {
  if ((token === undefined) === (tokenFile === undefined)) {
    throw new HoldfastError('give the token either by --token or by --token-file', { code: 'ERR_CLI_USAGE' });
  }
  if (token !== undefined) return token.trim();
  try {
    return readFileSync(tokenFile === '-' || tokenFile === undefined ? STANDARD_INPUT : tokenFile, 'utf8').trim();
  } catch (cause) {
    throw new HoldfastError('the token file cannot be read', { code: 'ERR_CLI_USAGE', cause });
  }
}

function parseLabels(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const split = label.indexOf('=');
      if (split < 1) throw new HoldfastError('a label is key=value', { code: 'ERR_CLI_USAGE' });
      return [label.slice(0, split), label.slice(split + 1)];
    }),
  );
}

export async function enroll(options: EnrollCommandOptions, signal: AbortSignal): Promise<CommandResult> {
  const { root } = options;
  const simulated = isSimulated(root);
  if (!simulated) requireRoot('enrolling a host');
  const { platform } = await openHost(root);
  const user = simulated
    ? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
    : await ensureSystemUser(AGENT_USER, signal);
  if (!simulated) await ensureSystemUser(SANDBOX_USER, signal);
  const trust = await enrollHost(
    {
      paths: hostPaths(root),
      serverUrl: options.server,
      token: readToken(options),
      hostName: options.name ?? (simulated ? platform.hostName : hostname()),
      platform: { distribution: platform.distribution, version: platform.version, kernel: platform.kernel },
      simulated,
      agentUid: user.uid,
      agentGid: user.gid,
      labels: parseLabels(options.label ?? []),
    },
    signal,
  );
  const text = [
    `${trust.hostName} is enrolled as ${trust.hostId} in ${trust.orgId}/${trust.siteId}`,
    'next: install a signed baseline (`holdfast baseline install`), then start holdfast-guard and holdfast-agent',
  ];
  return { data: { hostId: trust.hostId, orgId: trust.orgId, siteId: trust.siteId }, text: text.join('\n') };
}
