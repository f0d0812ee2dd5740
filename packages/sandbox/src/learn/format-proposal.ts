/** A proposal as TOML that can be pasted into a policy: every entry on a line of its own, with why it is there. */
import type { Proposal } from './propose-profile.ts';
import type { Reasons } from './file-needs.ts';

/** What the proposal is about, for its first lines. */
export interface ProposalOrigin {
  readonly argv: readonly string[];
  readonly runs: number;
}

export function formatProposal(proposal: Proposal, origin: ProposalOrigin): string {
  const { profile, reasons, unmet, secrets, notes } = proposal;
  const { files, network, syscalls, limits } = profile;
  const why = (place: string): Reasons => reasons[place] ?? new Map();
  return [
    `# Learnt from ${origin.runs} ${origin.runs === 1 ? 'run' : 'runs'} of ${origin.argv.map(quote).join(' ')}`,
    '# What it did then, and nothing more. Read it before you use it.',
    ...unmet.map((what) => `# This command used ${plain(what)}, which no profile gives.`),
    ...secrets.map((path) => `# WARNING: it used ${quote(path)}, which looks like a secret and is left out.`),
    ...notes.map((text) => `# Note: ${plain(text)}.`),
    '[[profiles]]',
    `name = ${quote(profile.name)}`,
    '',
    '[profiles.files]',
    ...list('readOnly', files.readOnly, why('files.readOnly')),
    ...list('writable', files.writable, why('files.writable')),
    ...list('hidden', files.hidden, why('files.hidden')),
    ...list('executable', files.executable, why('files.executable')),
    `tmpBytes = ${files.tmpBytes} # ${plain(why('files.tmpBytes').get('') ?? '')}`,
    '',
    ...formatNetwork(network, why('network.endpoints')),
    '[profiles.syscalls]',
    ...list('purposes', syscalls.purposes, why('syscalls.purposes')),
    ...list('allow', syscalls.allow, new Map()),
    '',
    '[profiles.limits]',
    ...Object.entries(limits).map(([name, value]) => `${name} = ${value} # ${plain(why('limits').get(name) ?? '')}`),
    '',
  ].join('\n');
}

function formatNetwork(network: Proposal['profile']['network'], why: Reasons): readonly string[] {
  if (typeof network === 'string') return [];
  return [
    '[profiles.network]',
    'endpoints = [',
    ...network.endpoints.map(
      ({ host, port }) => `  { host = ${quote(host)}, port = ${port} }, # ${plain(why.get(`${host}:${port}`) ?? '')}`,
    ),
    ']',
    '',
  ];
}

function list(name: string, values: readonly string[], why: Reasons): readonly string[] {
  if (values.length === 0) return [`${name} = []`];
  const lines = values.map((value) => {
    const reason = why.get(value);
    return `  ${quote(value)},${reason === undefined ? '' : ` # ${plain(reason)}`}`;
  });
  return [`${name} = [`, ...lines, ']'];
}

/** TOML's basic strings have the escapes of JSON. */
function quote(text: string): string {
  return plain(JSON.stringify(text));
}

/** Names come from whoever named a file: nothing of them may end a line, or turn the text of a terminal around. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
