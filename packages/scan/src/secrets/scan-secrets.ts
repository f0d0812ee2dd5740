/**
 * The secrets scan: the files of the work tree, every blob of the history of every ref, tag and
 * stash once, messages of commits and tags, and names of files and refs. The report says what kind of
 * secret is where and never shows one, nor a line that holds one. What could not be looked at is named
 * and is a finding of its own until somebody answers for it, and a scan that did not see the whole history
 * is inconclusive: never clean.
 */
import { hash } from 'node:crypto';

import type { BlobPlace, GitRepository, History } from '../git/git-repository.ts';
import { SCAN_REPORT_FORMAT, type ScanFinding, type ScanSummary } from '../scan-report.ts';
import { findSecrets, type FoundSecret, SECRET_RULES } from './find-secrets.ts';
import { fingerprintOf, lengthClass } from './fingerprint.ts';
import { findWithSecretlint } from './secretlint-engine.ts';
import { isExpired, parseSuppressions, type Suppression, SUPPRESSIONS_FILE } from './suppressions.ts';
import { tooLarge, TreeReader } from './tree-files.ts';

/** Raised whenever a rule or a form of text is added, so that a scan by older rules is known as such. */
const RULES_VERSION = '1';
/** Nobody writes a larger file by hand; what a build made is looked at where it is published. */
const MAX_FILE_BYTES = 50 * 1_048_576;
/** What the report's schema holds. */
const MAX_FINDINGS = 20_000;
const MAX_SKIPPED = 10_000;
const MAX_LOCATION_CHARS = 2_000;

/** Control characters, and those that turn the direction of text: names hold any, and reports reach terminals. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/gu;

export interface ScanSecretsDeps {
  readonly repository: GitRepository;
}

export interface ScanSecretsOptions {
  /** For suppressions that expire. */
  readonly nowMs: number;
  /** Defaults to 50 MiB. */
  readonly maxFileBytes?: number;
}

/** @throws `ERR_SCAN_INPUT` when git or the suppressions cannot be read */
export async function scanSecrets(
  { repository }: ScanSecretsDeps,
  { nowMs, maxFileBytes = MAX_FILE_BYTES }: ScanSecretsOptions,
  signal: AbortSignal,
): Promise<ScanSummary> {
  const scan = new Scan(repository, maxFileBytes, signal);
  const tree = await repository.listTree(signal);
  const refs = await repository.listRefs(signal);
  const history = await scan.listHistory();
  scan.readNames(
    [...tree.map(({ path }) => path), ...[...history.blobs.values()].map(({ path }) => path)],
    '(file name)',
  );
  scan.readNames(
    refs.map(({ name }) => name),
    '(ref name)',
  );

  const staged = await scan.readTree(tree);
  await scan.readBlobs(new Map([...history.blobs, ...staged]));
  await scan.readMessages(history.commits, '(commit message)', (id) => id);
  const annotated = new Map(refs.filter(({ type }) => type === 'tag').map(({ object, name }) => [object, name]));
  await scan.readMessages([...annotated.keys()], '(tag message)', (id) => annotated.get(id) ?? id);
  return scan.summarise({
    commits: history.commits.length,
    tags: refs.filter(({ name }) => name.startsWith('refs/tags/')).length,
    nowMs,
  });
}

class Scan {
  readonly #repository: GitRepository;
  readonly #maxFileBytes: number;
  readonly #signal: AbortSignal;
  readonly #findings = new Map<string, ScanFinding>();
  readonly #skipped: { path: string; reason: string }[] = [];
  readonly #reasons = new Set<string>();
  /** Blobs whose content was looked at in the work tree. */
  readonly #seen = new Set<string>();
  /** Secrets in names: a report names places, so they are masked wherever a name is shown. */
  readonly #masked = new Set<string>();
  #suppressions: readonly Suppression[] = [];
  #files = 0;
  #bytes = 0;

  constructor(repository: GitRepository, maxFileBytes: number, signal: AbortSignal) {
    this.#repository = repository;
    this.#maxFileBytes = maxFileBytes;
    this.#signal = signal;
  }

  async listHistory(): Promise<History> {
    const { partial, shallow } = this.#repository;
    if (shallow) {
      this.#reasons.add('the history is cut off: the clone is shallow. Fetch all of it with `git fetch --unshallow`');
    }
    if (partial) {
      this.#reasons.add(
        'the clone is partial and lacks objects, so its history was not scanned. Clone without `--filter`',
      );
      return { commits: [], blobs: new Map() };
    }
    return await this.#repository.listHistory(this.#signal);
  }

  readNames(names: readonly string[], place: string): void {
    const distinct = [...new Set(names)];
    // One text for all; a name is a line of it.
    const text = Buffer.from(distinct.map((name) => name.replaceAll('\n', ' ')).join('\n'));
    const { found } = findSecrets(text, '');
    for (const one of found) this.#masked.add(one.secret);
    for (const one of found) {
      const name = distinct[(one.line ?? 1) - 1] ?? '';
      this.#add({ ...one, line: null }, place, name);
    }
  }

  /** @returns staged blobs that differ from what lies in the work tree */
  async readTree(tree: Awaited<ReturnType<GitRepository['listTree']>>): Promise<Map<string, BlobPlace>> {
    const reader = new TreeReader(this.#repository.root, this.#maxFileBytes);
    const staged = new Map<string, BlobPlace>();
    for (const file of tree) {
      this.#signal.throwIfAborted();
      const read = await reader.read(file);
      if ('bytes' in read) {
        if (file.path === SUPPRESSIONS_FILE) this.#suppressions = parseSuppressions(read.bytes.toString('utf8'));
        this.#seen.add(blobId(read.bytes, this.#repository.objectFormat));
        await this.#readContent(read.bytes, file.path, file.path);
      } else if ('skipped' in read) {
        this.#skip(file.path, file.path, read.skipped);
        if (read.failed) this.#reasons.add('files of the work tree could not be read; they are listed as skipped');
      }
      if (file.blob !== null && !this.#seen.has(file.blob)) staged.set(file.blob, { commit: null, path: file.path });
    }
    return staged;
  }

  async readBlobs(blobs: ReadonlyMap<string, BlobPlace>): Promise<void> {
    const ids = [...blobs.keys()].filter((id) => !this.#seen.has(id));
    for await (const { id, type, bytes } of this.#repository.readObjects(ids, this.#maxFileBytes, this.#signal)) {
      this.#signal.throwIfAborted();
      const place = blobs.get(id) ?? { commit: null, path: '' };
      const location = place.commit === null ? place.path : `${place.commit}:${place.path}`;
      if (bytes !== null) await this.#readContent(bytes, place.path, location);
      else this.#skipObject(type, place.path, location);
    }
  }

  async readMessages(ids: readonly string[], place: string, nameOf: (id: string) => string): Promise<void> {
    for await (const { id, type, bytes } of this.#repository.readObjects(ids, this.#maxFileBytes, this.#signal)) {
      const location = `${nameOf(id)}:${place}`;
      if (bytes === null) this.#skipObject(type, location, location);
      else {
        this.#bytes += bytes.length;
        await this.#search(bytes, place, location);
      }
    }
  }

  #skipObject(type: string, path: string, location: string): void {
    if (type === 'missing') this.#reasons.add('objects of the repository are missing; see `git fsck`');
    this.#skip(path, location, type === 'missing' ? 'the object is missing' : tooLarge(this.#maxFileBytes));
  }

  async #readContent(bytes: Buffer, path: string, location: string): Promise<void> {
    this.#files += 1;
    this.#bytes += bytes.length;
    await this.#search(bytes, path, location);
  }

  async #search(bytes: Buffer, path: string, location: string): Promise<void> {
    const { found, skipped, windows } = findSecrets(bytes, path);
    for (const one of found) this.#add(one, path, location);
    for (const reason of skipped) this.#skip(path, location, reason);
    if (windows.length > 0) {
      for (const one of await findWithSecretlint(windows, found)) this.#add(one, path, location);
    }
  }

  #add(one: FoundSecret, path: string, location: string): void {
    const fingerprint = fingerprintOf(one, path);
    if (this.#findings.has(fingerprint)) return;
    this.#findings.set(fingerprint, {
      fingerprint,
      rule: one.rule.id,
      aliases: [],
      severity: one.severity,
      message: `${one.rule.title[0]!.toUpperCase()}${one.rule.title.slice(1)}, ${lengthClass(one.secret)}${one.how}. Revoke and replace it: removing it from the tree leaves it in the history.`,
      location: this.#shown(location),
      line: one.line,
      reachability: null,
      suppressed: null,
    });
  }

  /** @param path without its commit: all versions of a file that is skipped are one finding */
  #skip(path: string, location: string, reason: string): void {
    if (this.#skipped.length < MAX_SKIPPED) this.#skipped.push({ path: this.#shown(location), reason });
    else this.#reasons.add(`more than ${MAX_SKIPPED} files were skipped`);
    const fingerprint = hash('sha256', `not-scanned\0${path}\0${reason}`, 'hex');
    if (this.#findings.has(fingerprint)) return;
    this.#findings.set(fingerprint, {
      ...PLAIN_FINDING,
      fingerprint,
      rule: 'not-scanned',
      message: `Nobody looked for secrets here: ${reason}. Look yourself and suppress this finding with what you saw, or take the content out.`,
      location: this.#shown(location),
    });
  }

  /** A name as a report may show it: without secrets, without control characters. */
  #shown(name: string): string {
    let text = name;
    for (const secret of this.#masked) text = text.replaceAll(secret, '***');
    return text.replace(UNPRINTABLE, '?').slice(0, MAX_LOCATION_CHARS) || '(no name)';
  }

  summarise({ commits, tags, nowMs }: { commits: number; tags: number; nowMs: number }): ScanSummary {
    const reasons = this.#reasons;
    if (this.#files === 0) reasons.add('nothing was scanned: there is no file');
    const aboutSuppressions = this.#applySuppressions(nowMs, reasons.size === 0);
    const findings = [...this.#findings.values(), ...aboutSuppressions];
    if (findings.length > MAX_FINDINGS)
      reasons.add(`there are more than ${MAX_FINDINGS} findings; the first are listed`);
    return {
      format: SCAN_REPORT_FORMAT,
      scanner: 'secrets',
      rules: { name: 'holdfast-secrets', version: RULES_VERSION, count: SECRET_RULES.length },
      state: reasons.size === 0 ? 'complete' : 'inconclusive',
      reasons: [...reasons],
      coverage: { files: this.#files, bytes: this.#bytes, commits, tags, packages: null, skipped: this.#skipped },
      database: null,
      findings: findings.slice(0, MAX_FINDINGS),
    };
  }

  /** Marks what is suppressed. @returns findings about suppressions; whether one is unused only a whole scan can tell */
  #applySuppressions(nowMs: number, whole: boolean): ScanFinding[] {
    const problems: ScanFinding[] = [];
    for (const suppression of this.#suppressions) {
      const { fingerprint, reason, owner } = suppression;
      const finding = this.#findings.get(fingerprint);
      if (isExpired(suppression, nowMs)) problems.push(aboutSuppression('suppression-expired', suppression));
      else if (finding !== undefined) this.#findings.set(fingerprint, { ...finding, suppressed: { reason, owner } });
      if (finding === undefined && whole) problems.push(aboutSuppression('suppression-unused', suppression));
    }
    return problems;
  }
}

/** What is no secret itself. */
const PLAIN_FINDING = {
  aliases: [] as string[],
  severity: 'P2',
  line: null,
  reachability: null,
  suppressed: null,
} as const;

function aboutSuppression(
  rule: 'suppression-expired' | 'suppression-unused',
  { fingerprint, owner, expires }: Suppression,
): ScanFinding {
  const what =
    rule === 'suppression-expired'
      ? `ended with ${expires}: decide again, or resolve the finding`
      : 'matches nothing any more: remove it';
  return {
    fingerprint: hash('sha256', `${rule}\0${fingerprint}`, 'hex'),
    ...PLAIN_FINDING,
    rule,
    message: `The suppression ${fingerprint.slice(0, 12)} of ${owner} ${what}.`,
    location: SUPPRESSIONS_FILE,
  };
}

/** gitglossary(7) "object name": the digest over `blob <size>\0` and the content. */
function blobId(bytes: Buffer, algorithm: 'sha1' | 'sha256'): string {
  return hash(algorithm, Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]), 'hex');
}
