/**
 * What the machine shows of a lab, asked with the system's own tools and not with the code under
 * test. Other labs may be up at the same time, so everything is narrowed to one id and directory.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Footprint {
  readonly interfaces: readonly string[];
  readonly addresses: readonly string[];
  readonly namespaces: readonly string[];
  readonly mounts: readonly string[];
  readonly processes: readonly string[];
  readonly cgroups: readonly string[];
  readonly nspawn: readonly string[];
}

function lines(program: string, ...args: readonly string[]): string[] {
  return execFileSync(program, args, { encoding: 'utf8' }).split('\n').filter(Boolean);
}

export function footprintOf(lab: {
  readonly id: string;
  readonly directory: string;
  readonly gatewayAddress: string;
}): Footprint {
  const net = lab.gatewayAddress.replace(/254$/, '');
  const ours = (line: string): boolean => line.includes(`hf${lab.id}`) || line.includes(`${lab.directory}/`);
  return {
    interfaces: lines('/usr/sbin/ip', '-brief', 'link').filter(ours),
    addresses: [...lines('/usr/sbin/ip', '-brief', 'address'), ...lines('/usr/sbin/ip', 'route')].filter((line) =>
      line.includes(net),
    ),
    namespaces: lines('/usr/sbin/ip', 'netns').filter(ours),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(ours),
    // A zombie is dead; its parent (here: the machine's init) has yet to hear of it.
    processes: lines('/usr/bin/ps', '-eo', 'stat=,pid=,args=').filter((line) => ours(line) && !line.startsWith('Z')),
    cgroups: lines('/usr/bin/find', '/sys/fs/cgroup', '-maxdepth', '2', '-name', `hf${lab.id}`),
    nspawn: lines(
      '/usr/bin/find',
      '/run',
      '-maxdepth',
      '4',
      '-path',
      '/run/systemd/nspawn/*',
      '-name',
      `hf${lab.id}-*`,
    ),
  };
}

export const NO_FOOTPRINT: Footprint = {
  interfaces: [],
  addresses: [],
  namespaces: [],
  mounts: [],
  processes: [],
  cgroups: [],
  nspawn: [],
};
