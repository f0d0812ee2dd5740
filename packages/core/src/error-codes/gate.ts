/** Error codes of release gates, scanners and runbooks. */
import type { ErrorTable } from './table.ts';

export const GATE_ERRORS = {
  ERR_GATE_FILE: {
    remedy: 'fix-input',
    title: 'The gate file is not valid',
    text: 'The gate file is missing, not YAML, or has problems that `holdfast gate lint` lists, all at once, with line and path. Correct them and run it again.',
  },
  ERR_GATE_SOURCE: {
    remedy: 'fix-input',
    title: 'The source tree cannot be read',
    text: 'A gate judges a commit of a git repository. The directory is no work tree, has no commit yet, git is not installed, or the named commit does not exist. The field `reason` says which.',
  },
  ERR_GATE_KEY: {
    remedy: 'fix-input',
    title: 'The key does not belong to a person of the gate',
    text: 'Records are signed by a person whose public key stands in the gate file. Make a key with `holdfast gate key`, add the public part to `people` and freeze again, or name the right key file with `--key`.',
  },
  ERR_GATE_RULE: {
    remedy: 'fix-input',
    title: 'A rule of the gate refuses this',
    text: 'The step is not legal now: the packet is in another state, a predecessor is not approved, evidence is missing, the person may not do it, or a part of the record is missing. The field `rule` names the requirement and `reason` says what is missing. Nothing was recorded.',
  },
  ERR_GATE_LOG_INVALID: {
    remedy: 'give-up',
    title: 'The records of the gate do not verify',
    text: 'A record, an object or the signed head was changed, removed or signed by a key that does not count. The fields name the first place. Restore the directory from version control or a bundle; nothing is judged from records that do not verify.',
  },
  ERR_GATE_LOG_MOVED: {
    remedy: 'retry',
    title: 'The log grew meanwhile',
    text: 'Another process appended records between the decision and the write, so the decision may no longer hold. Nothing was written; run the command again.',
  },
  ERR_GATE_LOG_WRITE: {
    remedy: 'retry',
    title: 'The records could not be written',
    text: 'The disk is full, read-only or failing. What was written before stands and verifies; the new record was not taken.',
  },
  ERR_GATE_OBJECT_MISSING: {
    remedy: 'give-up',
    title: 'An output that a record names is missing',
    text: 'The object is not beside the log. Evidence without its output does not count. Restore it from version control or from a bundle.',
  },
  ERR_GATE_BUNDLE: {
    remedy: 'give-up',
    title: 'The bundle cannot be read',
    text: 'The file is no gate bundle, is damaged, or is larger than allowed. The fields name what is wrong first.',
  },
  ERR_REPORT_MALFORMED: {
    remedy: 'fix-input',
    title: 'The report does not parse',
    text: 'A test report, SARIF file, SBOM or attestation is not what its format says. The fields name format and place. A report that does not parse counts as missing.',
  },
  ERR_SCAN_INPUT: {
    remedy: 'fix-input',
    title: 'The scanner cannot read its input',
    text: 'A lockfile, suppression file, policy or tree cannot be read or does not parse. The fields name the file and what is wrong.',
  },
  ERR_SCAN_DATABASE: {
    remedy: 'fix-input',
    title: 'The vulnerability database cannot be used',
    text: 'The offline database is missing, damaged, or in no known format. Import an OSV export with `holdfast gate scan update <file>`. Without data a scan is inconclusive, never clean.',
  },
  ERR_RUNBOOK: {
    remedy: 'fix-input',
    title: 'The runbook is not valid',
    text: 'The Markdown has no valid front matter, a step without a type, or a step that does not parse. The fields name file and heading.',
  },
} as const satisfies ErrorTable;
