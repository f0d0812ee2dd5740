/** What a failing trial of the namespaces is put down to, and the trial itself where they are forbidden. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { needs } from '@holdfast/testing';
import { explainFailure, type Obstacle, tryNamespaces } from './try-namespaces.ts';

const FORBIDDEN = 'bwrap: No permissions to create new namespace, likely because the kernel does not allow it';
const cases: { name: string; files: Record<string, string>; said: string; reason: RegExp; fix: RegExp }[] = [
  {
    name: 'no user namespace may be made',
    files: { '/proc/sys/user/max_user_namespaces': '0' },
    said: 'bwrap: Creating new namespace failed: No space left on device',
    reason: /max_user_namespaces is 0/,
    fix: /sysctl user\.max_user_namespaces/,
  },
  {
    name: 'only root may make them',
    files: { '/proc/sys/user/max_user_namespaces': '9000', '/proc/sys/kernel/unprivileged_userns_clone': '0' },
    said: FORBIDDEN,
    reason: /unprivileged_userns_clone is 0/,
    fix: /sysctl kernel\.unprivileged_userns_clone=1/,
  },
  {
    name: 'AppArmor lets no program without a profile have them',
    files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' },
    said: 'bwrap: setting up uid map: Permission denied',
    reason: /apparmor_restrict_unprivileged_userns is 1/,
    fix: /AppArmor profile/,
  },
  {
    name: 'a container hides parts of /proc',
    files: {},
    said: "bwrap: Can't mount proc on /newroot/proc: Operation not permitted",
    reason: /\/proc are hidden/,
    fix: /systempaths=unconfined/,
  },
  {
    name: 'nothing that is known',
    files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '0' },
    said: FORBIDDEN,
    reason: /No permissions to create new namespace/,
    fix: /user namespaces/,
  },
  { name: 'bubblewrap says nothing', files: {}, said: '', reason: /said nothing/, fix: /user namespaces/ },
];

describe('the trial of the namespaces', () => {
  for (const { name, files, said, reason, fix } of cases) {
    it(`X-04: ${name}`, () => {
      const obstacle = explainFailure(said, (file) => files[file] ?? '');
      assert.match(obstacle.reason, reason);
      assert.match(obstacle.fix, fix);
    });
  }

  it('X-04: succeeds here, as another user', needs('root', 'bubblewrap'), () => {
    assert.equal(tryNamespaces({ uid: 65_534, gid: 65_534 }), null);
  });

  it('X-04: fails, and names the switch, where no user namespace may be made', needs('root', 'bubblewrap'), () => {
    // The switch belongs to the user namespace it is set in: one that ends with this command.
    const script = `
      import { writeFileSync } from 'node:fs';
      import { tryNamespaces } from ${JSON.stringify(new URL('./try-namespaces.ts', import.meta.url).href)};
      writeFileSync('/proc/sys/user/max_user_namespaces', '0');
      process.stdout.write(JSON.stringify(tryNamespaces(null)));`;
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
    const output = execFileSync('/usr/bin/unshare', ['--user', '--map-root-user', ...node], { encoding: 'utf8' });
    assert.match((JSON.parse(output) as Obstacle).reason, /max_user_namespaces is 0/);
  });
});
