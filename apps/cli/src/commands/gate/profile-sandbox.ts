/**
 * Commands of a gate behind the sandbox profile that the gate file names. A name is that of a
 * built-in profile, or of `.holdfast-sandbox/<name>.toml` beside the gate file, where it is committed and
 * so part of what evidence is about. To either the repository is added: seen, executable, and never
 * writable, so that no confined command changes what it tests. The sandbox is opened by the first command
 * that asks for one.
 */
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import type { SandboxedCommands } from '@holdfast/gate';
import { parseSandboxProfile, type SandboxProfile } from '@holdfast/policy';
import { BUILT_IN_PROFILES, openSandbox, type Sandbox, type SandboxRun } from '@holdfast/sandbox';

const PROFILES_DIRECTORY = '.holdfast-sandbox';

export class ProfileSandbox implements SandboxedCommands, AsyncDisposable {
  readonly #root: string;
  readonly #profiles: string;
  #sandbox: Promise<Sandbox> | null = null;

  /** @param root of the work tree; @param beside the directory of the gate file */
  constructor(root: string, beside: string) {
    this.#root = root;
    this.#profiles = join(beside, PROFILES_DIRECTORY);
  }

  async start(...[name, root, job, signal]: Parameters<SandboxedCommands['start']>): Promise<SandboxRun> {
    const profile = await this.#find(name);
    // A changed copy of the tree borrows installed dependencies from the work tree.
    const seen = new Set(await Promise.all([realpath(root), realpath(this.#root)]));
    this.#sandbox ??= openSandbox();
    const sandbox = await this.#sandbox;
    return await sandbox.start({ ...job, profile: withRepository(profile, [...seen]) }, signal);
  }

  async #find(name: string): Promise<SandboxProfile> {
    const known = BUILT_IN_PROFILES.find((profile) => profile.name === name);
    if (known !== undefined) return known;
    let text: string;
    try {
      // The gate file's schema keeps names to letters, digits, `-` and `_`.
      text = await readFile(join(this.#profiles, `${name}.toml`), 'utf8');
    } catch (cause) {
      const place = `neither ${PROFILES_DIRECTORY}/${name}.toml beside the gate file nor built in`;
      throw new HoldfastError(`there is no sandbox profile ${name}: ${place}`, { code: 'ERR_SANDBOX_PROFILE', cause });
    }
    const profile = parseSandboxProfile(text);
    if (profile.name === name) return profile;
    throw new HoldfastError('the sandbox profile has another name than its file', {
      code: 'ERR_SANDBOX_PROFILE',
      fields: { file: name, name: profile.name },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#sandbox)?.[Symbol.asyncDispose]();
  }
}

function withRepository(profile: SandboxProfile, roots: readonly string[]): SandboxProfile {
  const { files } = profile;
  return {
    ...profile,
    files: {
      ...files,
      readOnly: [...files.readOnly, ...roots],
      executable: [...files.executable, ...roots],
    },
  };
}
