/** Error codes of the host ports and their adapters. */
import type { ErrorTable } from './table.ts';

export const HOST_ERRORS = {
  ERR_HOST_COMMAND_FAILED: {
    remedy: 'give-up',
    title: 'A program could not be run',
    text: 'The program is not installed at its absolute path, may not be executed, or could not be started for want of memory or processes. The fields name the program, never its arguments. Run `holdfast doctor` to see what is missing.',
  },
  ERR_HOST_COMMAND_TIMEOUT: {
    remedy: 'retry',
    title: 'A program took too long',
    text: 'The program did not end within its time and was killed together with everything it started. What it changed until then is unknown; a change that hit this is reverted.',
  },
  ERR_HOST_PACKET_FILTER_REFUSED: {
    remedy: 'fix-input',
    title: 'The packet filter refused the ruleset',
    text: 'The ruleset is not made of tables alone, does not parse, or the kernel refused it. Nothing was changed: a ruleset is replaced as a whole or not at all. Load it with `nft -c -f` to see the place.',
  },
  ERR_HOST_PACKET_FILTER_UNREADABLE: {
    remedy: 'retry',
    title: 'The packet filter cannot be read',
    text: 'The ruleset could not be listed: nftables is not installed, the privileges are missing, or the listing was larger than its cap. The firewall counts as unknown until it can be read.',
  },
  ERR_HOST_FILE_MISSING: {
    remedy: 'fix-input',
    title: 'The file does not exist',
    text: 'A file that should be read, or the directory of a file that should be written, does not exist.',
  },
  ERR_HOST_FILE_TOO_LARGE: {
    remedy: 'fix-input',
    title: 'The file is larger than allowed',
    text: 'The file has more bytes than the reader accepts. It is not read in part: half a file proves nothing.',
  },
  ERR_HOST_FILE_REFUSED: {
    remedy: 'fix-input',
    title: 'The path does not name a regular file',
    text: 'A symlink, directory, device, socket or pipe stands where a regular file is expected, or a path leaves its root. Holdfast never reads or writes through such a thing.',
  },
  ERR_HOST_FILE_UNREADABLE: {
    remedy: 'give-up',
    title: 'The file cannot be read',
    text: 'The file exists but the permissions or the file system do not allow reading it. What cannot be read is unknown and never passes.',
  },
  ERR_HOST_FILE_UNWRITABLE: {
    remedy: 'give-up',
    title: 'The file cannot be written',
    text: 'The permissions, a full or read-only file system, or an input/output error prevented a write. The old content is still in place.',
  },
  ERR_HOST_SERVICES_UNREADABLE: {
    remedy: 'retry',
    title: 'The services cannot be read',
    text: 'systemd did not answer, or answered something else than the state of every unit asked for. The services count as unknown until it does.',
  },
  ERR_HOST_SERVICE_FAILED: {
    remedy: 'give-up',
    title: 'The service manager refused or failed the job',
    text: 'systemd could not restart or stop the unit: it does not exist, is masked, or its process ended with an error. See `systemctl status` of the unit on the host.',
  },
  ERR_HOST_ACCOUNT_MISSING: {
    remedy: 'fix-input',
    title: 'The account does not exist',
    text: 'No account of that name stands in the password and shadow files of the host.',
  },
  ERR_HOST_ACCOUNTS_UNREADABLE: {
    remedy: 'give-up',
    title: 'The accounts cannot be read',
    text: 'The password file, the shadow file or a list of authorised keys exists but cannot be read or is not a regular file. Reading shadow takes root; the accounts count as unknown until everything can be read.',
  },
  ERR_HOST_ACCOUNTS_BUSY: {
    remedy: 'retry',
    title: 'Another program is changing the accounts',
    text: 'The lock of the password files is held by another program, such as passwd or usermod. Nothing was changed.',
  },
  ERR_HOST_SOCKETS_UNREADABLE: {
    remedy: 'retry',
    title: 'The listening sockets cannot be read',
    text: 'The socket tables of the kernel could not be read or have an unexpected form. The ports count as unknown.',
  },
  ERR_HOST_JOURNAL_UNREADABLE: {
    remedy: 'retry',
    title: 'The journal cannot be read',
    text: 'The journal could not be searched: journald does not run, or the privileges (group systemd-journal) are missing. Whether a line arrived is unknown.',
  },
  ERR_HOST_JOURNAL_UNWRITABLE: {
    remedy: 'retry',
    title: 'No log line can be written',
    text: 'The syslog socket does not exist or nobody listens on it, so that no program on the host can log.',
  },
  ERR_HOST_CERTIFICATE_UNREADABLE: {
    remedy: 'fix-input',
    title: 'The certificate cannot be read',
    text: 'The file holds no PEM certificate, or the TLS server could not be reached or presented none.',
  },
  ERR_HOST_PLATFORM_UNREADABLE: {
    remedy: 'give-up',
    title: 'The boot of this machine cannot be told',
    text: 'The boot id of the kernel could not be read. Without it, times from before and after a reboot cannot be told apart.',
  },
  ERR_HOST_SIMULATION_INVALID: {
    remedy: 'fix-input',
    title: 'The state of the simulated host is not valid',
    text: 'The state file of a simulated host is missing, damaged or from another version. Remove the directory to start with a new simulated host.',
  },
} as const satisfies ErrorTable;
