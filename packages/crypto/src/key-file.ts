/**
 * Private key files (P-01): PKCS#8 PEM or 32 raw bytes, mode 0600, owned by the running user, in a
 * directory that nobody else can write. Everything is checked on open descriptors, and the file is
 * opened below the checked directory's descriptor, so that what was checked is what is read.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { HoldfastError, isHoldfastError } from '@holdfast/core';
import { type Signer, signerFromKeyObject, signerFromSeed } from './ed25519.ts';

/** An Ed25519 PKCS#8 PEM has 119 bytes; comments before it are common, kilobytes of them are not. */
const MAX_KEY_FILE_BYTES = 4_096;
const RAW_KEY_BYTES = 32;
const OTHERS_WRITE = 0o022;

/**
 * Loads a private key.
 *
 * @throws `ERR_KEY_INVALID` for every reason whatsoever; the field `reason` says which
 */
export function loadSigner(path: string): Signer {
  try {
    return withDirectory(path, (at) => parsePrivateKey(readPrivateFile(at)));
  } catch (cause) {
    throw refusal(cause);
  }
}

/**
 * Makes a new key, writes it to `path` durably (PKCS#8 PEM, 0600) and loads it from there. Creates
 * the directory (0700) when only its last component is missing. A crash leaves either no file at
 * `path` or a whole one.
 *
 * @throws `ERR_KEY_INVALID`, also when anything is already at `path`
 */
export function generateSigner(path: string): Signer {
  try {
    mkdirSync(dirname(path), { mode: 0o700 });
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw refusal(cause);
  }
  try {
    withDirectory(path, (at, directory) => {
      const temporary = `${at}.${randomBytes(8).toString('hex')}.tmp`;
      const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
      try {
        writePrivateFile(temporary, pem);
        linkSync(temporary, at); // unlike rename, link never replaces what is there
      } finally {
        unlinkIfThere(temporary);
      }
      fsyncSync(directory);
    });
  } catch (cause) {
    throw refusal(cause);
  }
  return loadSigner(path);
}

/** Calls `use` with a name for `path` that resolves through the checked directory's descriptor. */
function withDirectory<T>(path: string, use: (at: string, directory: number) => T): T {
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const stat = fstatSync(directory);
    if ((stat.mode & OTHERS_WRITE) !== 0) throw invalid('directory-writable-by-others');
    // root may own the directory of a user's key: it could read the key anyway.
    if (stat.uid !== runningUid() && stat.uid !== 0) throw invalid('directory-owner');
    // proc(5): below /proc/self/fd/N is the open directory itself, whatever its name points to by now.
    return use(`/proc/self/fd/${directory}/${basename(path)}`, directory);
  } finally {
    closeSync(directory);
  }
}

function readPrivateFile(at: string): Buffer {
  // O_NONBLOCK: a FIFO in place of the key must not make us wait for a writer.
  const file = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw invalid('not-a-file');
    if (stat.uid !== runningUid()) throw invalid('owner');
    if ((stat.mode & 0o7777) !== 0o600) throw invalid('mode');
    if (stat.size === 0) throw invalid('empty');
    if (stat.size > MAX_KEY_FILE_BYTES) throw invalid('too-large');
    const bytes = Buffer.alloc(MAX_KEY_FILE_BYTES + 1);
    let length = 0;
    for (;;) {
      const count = readSync(file, bytes, length, bytes.length - length, null);
      length += count;
      if (count === 0 || length === bytes.length) return bytes.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}

function parsePrivateKey(bytes: Buffer): Signer {
  try {
    if (bytes.length === RAW_KEY_BYTES) {
      // P-05: a zeroed file is what a failed write leaves, not a key.
      if (bytes.every((byte) => byte === 0)) throw invalid('zeroes');
      return signerFromSeed(bytes);
    }
    return signerFromKeyObject(parsePkcs8(bytes.toString('latin1')));
  } finally {
    bytes.fill(0);
  }
}

/** Only PKCS#8: one PEM block, unencrypted. Legacy and OpenSSH containers are refused by the header. */
function parsePkcs8(text: string): KeyObject {
  const headers = text.match(/-----BEGIN [^-\n]{1,64}-----/g) ?? [];
  if (headers.length !== 1 || headers[0] !== '-----BEGIN PRIVATE KEY-----') throw invalid('not-pkcs8');
  try {
    return createPrivateKey({ key: text, format: 'pem' });
  } catch {
    throw invalid('not-pkcs8'); // OpenSSL's message adds nothing that may be logged
  }
}

function writePrivateFile(at: string, text: string): void {
  const file = openSync(at, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    fchmodSync(file, 0o600); // whatever the umask took away
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw cause;
  }
}

function runningUid(): number {
  const uid = process.geteuid?.();
  if (uid === undefined) throw invalid('no-owner-on-this-platform');
  return uid;
}

function invalid(reason: string): HoldfastError {
  return new HoldfastError(`key file refused: ${reason}`, { code: 'ERR_KEY_INVALID', fields: { reason } });
}

/** Every failure around a key file has one code; the system's own code becomes the reason. */
function refusal(cause: unknown): HoldfastError {
  if (isHoldfastError(cause)) return cause;
  const reason = errnoOf(cause) ?? 'unreadable';
  return new HoldfastError(`key file refused: ${reason}`, { code: 'ERR_KEY_INVALID', fields: { reason }, cause });
}

function errnoOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
