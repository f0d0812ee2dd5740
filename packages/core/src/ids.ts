/**
 * Branded identifiers. Each is made only by its `parse*` function, so that holding one means it was
 * checked. Ids are ASCII so that they are safe in paths, URLs, logs and SQL.
 */
import { HoldfastError } from './errors.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Tenant. */
export type OrgId = Branded<'OrgId'>;
/** Group of hosts in an org. */
export type SiteId = Branded<'SiteId'>;
/** An enrolled machine. */
export type HostId = Branded<'HostId'>;
/** One evidence bundle: a UUIDv7, so that ids sort by time. */
export type BundleId = Branded<'BundleId'>;
/** Hex SHA-256, 64 lower-case digits. */
export type Sha256Hex = Branded<'Sha256Hex'>;

/** T-01: ids match `[A-Za-z0-9_-]{1,64}`. */
export const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
/** RFC 9562 §5.7: version nibble 7, variant bits 10. */
export const UUID_V7_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const SHA256_HEX_PATTERN = /^[0-9a-f]{64}$/;

function parse(text: unknown, pattern: RegExp, what: string): string {
  if (typeof text === 'string' && pattern.test(text)) return text;
  throw new HoldfastError(`not a valid ${what}`, { code: 'ERR_INPUT_INVALID', fields: { what } });
}

/** @throws `ERR_INPUT_INVALID` */
export const parseOrgId = (text: unknown): OrgId => parse(text, ID_PATTERN, 'org id') as OrgId;
/** @throws `ERR_INPUT_INVALID` */
export const parseSiteId = (text: unknown): SiteId => parse(text, ID_PATTERN, 'site id') as SiteId;
/** @throws `ERR_INPUT_INVALID` */
export const parseHostId = (text: unknown): HostId => parse(text, ID_PATTERN, 'host id') as HostId;
/** @throws `ERR_INPUT_INVALID` */
export const parseBundleId = (text: unknown): BundleId => parse(text, UUID_V7_PATTERN, 'bundle id') as BundleId;
/** @throws `ERR_INPUT_INVALID` */
export const parseSha256Hex = (text: unknown): Sha256Hex =>
  parse(text, SHA256_HEX_PATTERN, 'SHA-256 digest') as Sha256Hex;

/**
 * Makes a UUIDv7 (RFC 9562 §5.7).
 *
 * @param wallMs milliseconds since the epoch, 48 bits
 * @param random 10 random bytes
 */
export function formatUuidV7(wallMs: number, random: Uint8Array): BundleId {
  if (random.length !== 10) throw new TypeError('a UUIDv7 takes 10 random bytes');
  if (!Number.isInteger(wallMs) || wallMs < 0 || wallMs >= 2 ** 48) throw new TypeError('a UUIDv7 takes a 48-bit time');
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(wallMs / 2 ** 16));
  view.setUint16(4, wallMs % 2 ** 16);
  bytes.set(random, 6);
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x70);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as BundleId;
}
