/** Error codes of baselines and checks. */
import type { ErrorTable } from './table.ts';

export const COMPLIANCE_ERRORS = {
  ERR_BASELINE_MISSING: {
    remedy: 'fix-input',
    title: 'There is no baseline',
    text: 'The baseline file does not exist or cannot be read. Every check is unknown until a signed baseline is there; make one with `holdfast baseline capture`, sign it and install it.',
  },
  ERR_BASELINE_INVALID: {
    remedy: 'fix-input',
    title: 'The baseline is not valid',
    text: 'The baseline is larger than 1 MiB, is not strict YAML 1.2, uses tags or aliases, or does not have the documented shape. All problems are listed by path, without the values; correct them and sign again. Until then every check is unknown.',
  },
  ERR_BASELINE_UNTRUSTED: {
    remedy: 'give-up',
    title: 'The baseline is not signed by a key this host trusts',
    text: 'No signature of the baseline verifies under a key pinned for the purpose `baseline` and valid now, or the envelope is damaged. The baseline is treated as never received and every check is unknown.',
  },
  ERR_BASELINE_OTHER_HOST: {
    remedy: 'fix-input',
    title: 'The baseline is bound to another host',
    text: 'The baseline names a host id, and it is not the id of this host. A baseline without a host id is good for any host; one with a host id only for that one.',
  },
  ERR_BASELINE_UNSAFE: {
    remedy: 'fix-input',
    title: 'The ruleset of the baseline would cut the host off from itself',
    text: 'The signed ruleset has an input or output chain that drops by default and does not accept the loopback interface. Loading it could cut off services on the host itself, so it is refused. Accept `lo` in that chain and sign the baseline again.',
  },
  ERR_NOT_IN_BASELINE: {
    remedy: 'fix-input',
    title: 'The baseline does not name this',
    text: 'The operation was asked for a unit, path or account, or for a part of the host, that the signed baseline says nothing about. Operations only bring back what the baseline describes.',
  },
  ERR_ACCOUNT_PROTECTED: {
    remedy: 'give-up',
    title: 'This account is never locked',
    text: 'The account is root or one that the signed baseline allows. If it should be locked, take it out of the baseline first.',
  },
  ERR_CHECK_MODULE: {
    remedy: 'fix-input',
    title: 'The module of a custom check cannot be used',
    text: 'The signed module is not in the directory `checks` beside the baseline, is larger than 4 MiB, is not signed by a key pinned for the purpose `baseline` and valid now, or is not the one whose digest the baseline names. It was not run. Sign it with `holdfast check sign` and install the file it writes.',
  },
  ERR_RESTORE_SOURCE_MISSING: {
    remedy: 'fix-input',
    title: 'There is no copy to restore from',
    text: 'The baseline holds the digest of the file but neither its content nor a stored copy with that digest can be found. Put the content into the baseline or the copy into the blob directory, or restore the file by hand.',
  },
  ERR_RESTORE_TARGET_UNSUITABLE: {
    remedy: 'give-up',
    title: 'What stands at the path cannot be replaced safely',
    text: 'A directory, a symlink, a device or a file too large to keep a copy of stands where the baseline wants a regular file. Replacing it could not be taken back exactly, so it is left to a person.',
  },
} as const satisfies ErrorTable;
