/**
 * Names and addresses of a lab, and the `ip` commands that build its network.
 *
 * One network namespace per host and one for the router, which holds a bridge that all hosts and
 * one interface of the machine are plugged into. Nothing is forwarded or translated: the hosts
 * reach the machine on the address of that one interface, and nothing else. Everything outside the
 * lab's own namespaces carries the lab's id in its name, so that it can be found and removed by it.
 */
import { createHash } from 'node:crypto';

/** Eight characters keep interface names within the kernel's 15 (IFNAMSIZ - 1). */
export const LAB_ID_PATTERN = /^[a-z0-9]{1,8}$/;

/** As many as fit between the router's addresses and the gateway of a /24, and more than one machine boots well. */
export const MAX_HOSTS = 64;

const FIRST_HOST = 11;
const GATEWAY = 254;
const TIME_SOURCES = [2, 3, 4] as const;

export interface LabNames {
  /** Also the name of the control group, and the prefix of every other name. */
  readonly prefix: string;
  readonly routerNamespace: string;
  /** The machine's end of the only link into the lab. */
  readonly uplink: string;
  hostNamespace(index: number): string;
}

export function labNames(id: string): LabNames {
  const prefix = `hf${id}`;
  return {
    prefix,
    routerNamespace: `${prefix}-r`,
    uplink: `${prefix}u`,
    hostNamespace: (index) => `${prefix}-h${index}`,
  };
}

/** Addresses within the lab's /24, whose first three octets are `net`. */
export function hostAddress(net: string, index: number): string {
  return `${net}.${FIRST_HOST + index - 1}`;
}

export function gatewayAddress(net: string): string {
  return `${net}.${GATEWAY}`;
}

export function timeSourceAddresses(net: string): string[] {
  return TIME_SOURCES.map((last) => `${net}.${last}`);
}

/** An IPv4 network that the machine already knows a way to. */
export interface Ipv4Route {
  readonly network: number;
  readonly mask: number;
}

/** A word of `/proc/net/route`: hexadecimal, in the byte order of a little-endian machine. */
function parseWord(hex: string): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE();
}

/** Reads `/proc/net/route`. The default route is left out: it covers everything. */
export function parseRoutes(table: string): Ipv4Route[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter((fields) => fields.length > 7 && fields[7] !== '00000000')
    .map((fields) => ({ network: parseWord(fields[1] ?? '0'), mask: parseWord(fields[7] ?? '0') }));
}

/**
 * Chooses the lab's /24 by its id, in 10.64.0.0/10 and 198.18.0.0/15 (RFC 2544, meant for test
 * beds), around what the machine already routes.
 *
 * @returns the first three octets, or `undefined` if 512 candidates were all taken
 */
export function chooseNetwork(id: string, routes: readonly Ipv4Route[]): string | undefined {
  for (let attempt = 0; attempt < 512; attempt++) {
    const digest = createHash('sha256').update(`${id}/${attempt}`).digest();
    const [a = 0, b = 0] = digest;
    const net = attempt < 256 ? `10.${64 + (a % 64)}.${b}` : `198.${18 + (a % 2)}.${b}`;
    const network = net.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0) * 256;
    const taken = routes.some(({ network: other, mask }) => {
      const both = (mask & 0xffffff00) >>> 0; // two networks overlap when they agree on the shorter prefix
      return (network & both) >>> 0 === (other & both) >>> 0;
    });
    if (!taken) return net;
  }
  return undefined;
}

/** `ip` arguments that build router and bridge. */
export function planRouter(names: LabNames, net: string): string[][] {
  const router = ['-n', names.routerNamespace];
  return [
    ['netns', 'add', names.routerNamespace],
    [...router, 'link', 'set', 'dev', 'lo', 'up'],
    [...router, 'link', 'add', 'name', 'lan', 'type', 'bridge'],
    ...timeSourceAddresses(net).map((address) => router.concat('address', 'add', `${address}/24`, 'dev', 'lan')),
    [...router, 'link', 'set', 'dev', 'lan', 'up'],
    ['link', 'add', 'name', names.uplink, 'type', 'veth', 'peer', 'name', 'up', 'netns', names.routerNamespace],
    ['link', 'set', 'dev', names.uplink, 'addrgenmode', 'none'],
    [...router, 'link', 'set', 'dev', 'up', 'master', 'lan'],
    [...router, 'link', 'set', 'dev', 'up', 'up'],
    ['address', 'add', `${gatewayAddress(net)}/24`, 'dev', names.uplink],
    ['link', 'set', 'dev', names.uplink, 'up'],
  ];
}

/** `ip` arguments that plug in host number `index`. */
export function planHost(names: LabNames, net: string, index: number): string[][] {
  const namespace = names.hostNamespace(index);
  const router = ['-n', names.routerNamespace];
  const host = ['-n', namespace];
  return [
    ['netns', 'add', namespace],
    [...router, 'link', 'add', 'name', `h${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace],
    [...router, 'link', 'set', 'dev', `h${index}`, 'master', 'lan'],
    [...router, 'link', 'set', 'dev', `h${index}`, 'up'],
    [...host, 'link', 'set', 'dev', 'lo', 'up'],
    [...host, 'address', 'add', `${hostAddress(net, index)}/24`, 'dev', 'eth0'],
    [...host, 'link', 'set', 'dev', 'eth0', 'up'],
  ];
}
