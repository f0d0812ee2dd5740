/**
 * What a proposal leaves out whatever a command did there: places that are too wide to be given to
 * one command, and files that look like secrets. Decided by the path alone; stricter than the compiler.
 */
import { SandboxProfileSchema } from '@holdfast/policy';

/** Shared by everything on a host, or the whole of somebody's files. Never shown, listed or written as a whole. */
const TOO_WIDE: ReadonlySet<string> = new Set(
  `/ /etc /home /root /var /var/lib /var/log /var/cache /var/spool /var/tmp /var/run /tmp /run /srv /opt /mnt /media
   /boot /usr/local /dev /proc /sys /dev/shm /run/user /run/lock /var/lock /var/mail /var/backups /lost+found`.split(
    /\s+/,
  ),
);
/** As `compileProfile` refuses to write there. */
const NEVER_WRITABLE = /^\/(?:usr|etc|boot|bin|sbin|lib|lib32|lib64|libx32)(?:\/|$)/;
/** A sandbox has its own, or its user cannot pass. */
const NEVER_SHOWN = /^\/(?:\.launcher|proc|sys|dev|root)(?:\/|$)/;
const HOMES = /^\/(?:root|home\/[^/]+)$/;

/** Directories and files that hold keys, passwords and tokens: OpenSSH, GnuPG, clouds, databases, shells, ours. */
const SECRETS: readonly RegExp[] = [
  /^\/etc\/g?shadow/,
  /^\/etc\/(?:sudoers|security\/opasswd|krb5\.keytab|ppp\/|wireguard\/|ipsec\.|NetworkManager\/system-connections\/|holdfast\/)/,
  /^\/etc\/ss[lh]\/(?:private(?:\/|$)|.*_key$)/,
  /^\/(?:var\/lib\/holdfast|run\/secrets|run\/credentials)(?:\/|$)/,
  /\/\.(?:ssh|gnupg|aws|azure|kube|docker|password-store|vault-token|config\/gcloud|config\/gh)(?:\/|$)/,
  /\/\.(?:netrc|pgpass|my\.cnf|git-credentials|npmrc|pypirc|[a-z]*_history|env(?:\.[^/]*)?)$/,
  /\/id_(?:rsa|dsa|ecdsa|ed25519)[^/]*$/,
  /\/(?:[^/]*\.(?:key|p12|pfx|jks|kdbx|keytab)|private[-_]?key[^/]*|credentials(?:\.[^/]*)?|secrets?(?:\.[^/]*)?)$/i,
];

/** Whether this looks like a secret, or lies in what does. What packages installed below /usr is for everybody. */
export function isSecret(path: string): boolean {
  if (path.startsWith('/usr/')) return false;
  const parts = path.split('/');
  const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  return prefixes.some((prefix) => SECRETS.some((pattern) => pattern.test(prefix)));
}

/** Too wide to be given to a command as a whole, to read or to write. */
export function isTooWide(directory: string): boolean {
  return TOO_WIDE.has(directory) || HOMES.test(directory);
}

/** A path that no proposal shows: for everybody, for root alone, or without a name that a profile can hold. */
export function isNeverShown(path: string): boolean {
  return isTooWide(path) || NEVER_SHOWN.test(path) || !canBeNamed(path);
}

/** A directory that no proposal makes writable. */
export function isNeverWritable(directory: string): boolean {
  return isNeverShown(directory) || NEVER_WRITABLE.test(directory);
}

const ProfilePath = SandboxProfileSchema.shape.files.unwrap().shape.readOnly.unwrap().element;

/** Whether a profile can name it: not with control characters, broken UTF-8, or what a reader could not tell apart. */
export function canBeNamed(path: string): boolean {
  return ProfilePath.safeParse(path).success && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/u.test(path);
}
