/**
 * The name of a finding, and how a report speaks of a secret without giving it away.
 *
 * The fingerprint is SHA-256 over rule, path and a digest of the secret, so it survives moved lines and
 * new commits, and an exact suppression does not cover the next secret in the same file. A digest of
 * something guessable is an oracle, though: of a secret that a person may have chosen only 16 bits go
 * in. Who tries a dictionary of a million words against it is left with fifteen that fit; and one new
 * password in 65,536 hides behind an old suppression of the same rule and file. Of issued tokens and
 * keys, which nobody guesses, 128 bits go in.
 */
import { hash } from 'node:crypto';

import type { FoundSecret } from './find-secrets.ts';

const CHOSEN_HEX_CHARS = 4;
const ISSUED_HEX_CHARS = 32;

/** @param path in the tree, without commit; or what stands for it in messages and names */
export function fingerprintOf({ rule, secret }: Pick<FoundSecret, 'rule' | 'secret'>, path: string): string {
  const digest = hash('sha256', Buffer.from(`holdfast-secret/v1\0${secret}`, 'latin1'), 'hex');
  return hash(
    'sha256',
    `${rule.id}\0${path}\0${digest.slice(0, rule.chosen ? CHOSEN_HEX_CHARS : ISSUED_HEX_CHARS)}`,
    'hex',
  );
}

/** Enough to recognise what is meant, nothing to guess from: an exact length of a password would be. */
export function lengthClass(secret: string): string {
  const classes = [16, 32, 64, 256];
  const upTo = classes.find((chars) => secret.length <= chars);
  return upTo === undefined ? `over ${classes.at(-1)} characters` : `up to ${upTo} characters`;
}
