/** Error codes of the lab. */
import type { ErrorTable } from './table.ts';

export const LAB_ERRORS = {
  ERR_LAB_NOT_POSSIBLE: {
    remedy: 'fix-input',
    title: 'This machine cannot run lab hosts.',
    text: 'Lab hosts need Linux, root, systemd-nspawn (Debian package systemd-container), iproute2 and nftables; the missing part is named in the field `missing`. Install it, or use simulated hosts.',
  },
  ERR_LAB_NOT_FOUND: {
    remedy: 'fix-input',
    title: 'There is no lab in this directory.',
    text: 'The directory holds no lab.json. Name the directory that `holdfast lab up` was given, or build a lab there first.',
  },
  ERR_LAB_RECORD_INVALID: {
    remedy: 'fix-input',
    title: "The lab's record cannot be read.",
    text: 'lab.json in the lab directory is not what this version writes. If the lab is of no use any more, build one with the same id elsewhere and take it down: everything on the machine is found by that id.',
  },
  ERR_LAB_INPUT: {
    remedy: 'fix-input',
    title: 'The lab was asked for something it does not have.',
    text: 'The field `problem` names it: a lab id, directory, host, check, unit or path that is malformed or unknown. Nothing was changed.',
  },
  ERR_LAB_COMMAND_FAILED: {
    remedy: 'give-up',
    title: 'A command that the lab depends on failed.',
    text: 'The fields name the program and its exit code. What had been built until then is taken down again; nothing is left on the machine.',
  },
  ERR_LAB_BOOT_FAILED: {
    remedy: 'retry',
    title: 'A lab host did not come up in time.',
    text: "The host's systemd, firewall or demo services did not become active. The console log of the host is kept in the lab directory as `<host>.console.log`. The rest of the lab is taken down.",
  },
  ERR_LAB_HOST_DOWN: {
    remedy: 'retry',
    title: 'This lab host is not running.',
    text: 'Nothing can be run, broken or mended on a host that is down. Bring the lab up again.',
  },
  ERR_LAB_NOT_REMOVED: {
    remedy: 'retry',
    title: 'Something of the lab could not be removed.',
    text: 'The field `remains` lists the interfaces, namespaces, mounts, control groups and processes that are still there. Run `holdfast lab down` again once whatever holds them has ended.',
  },
  ERR_LAB_SIMULATED: {
    remedy: 'give-up',
    title: 'A simulated lab host cannot do this.',
    text: 'Simulated hosts are files: they have no processes to run commands in and no units to kill. Use a lab of real hosts, which needs root.',
  },
} as const satisfies ErrorTable;
