/**
 * Starts a program inside control groups: `launch.ts CGROUP_DIR[,CGROUP_DIR…] PROGRAM ARGUMENT…`.
 *
 * The process joins the groups and then becomes the program, so that the program and all its
 * children are in them from their first instruction. That is how a lab finds its processes again,
 * and why the systemd of two lab hosts do not share one control group.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

const [groups, program, ...rest] = process.argv.slice(2);
if (groups === undefined || program === undefined || process.execve === undefined) {
  throw new TypeError('usage: launch.ts CGROUP_DIR[,CGROUP_DIR…] PROGRAM ARGUMENT…');
}
for (const group of groups.split(',')) appendFileSync(join(group, 'cgroup.procs'), String(process.pid));
process.execve(program, [program, ...rest], process.env);
