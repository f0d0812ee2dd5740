/**
 * Verifies one evidence bundle from its bytes, in the browser, with pinned keys only (W-06). It
 * follows DSSE v1, in-toto Statement v1, RFC 6962 and C2SP tlog-checkpoint, and shares no code with
 * the server: what it says holds even if the server lies.
 */
import type { InclusionProof } from '@holdfast/api';
import { areEqual, concatenate, fromBase64, fromHex, sha256, toHex, verifyEd25519 } from './bytes.ts';
import { openCheckpoint } from './checkpoint.ts';
import { hashLeaf, rootOfInclusion } from './merkle.ts';
import type { Pins } from './pins.ts';
import { isSameJson } from './same-json.ts';

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

export interface VerificationStep {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

interface Envelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** What the page shows of the bundle, as the server told it. */
export interface Shown {
  readonly bundleId: string;
  readonly hostId: string;
  readonly predicate: Readonly<Record<string, unknown>>;
  /** What lists and headings show; each has to be what the predicate says. */
  readonly row: Readonly<Record<string, unknown>>;
}

/** Columns of a row that are taken from the predicate under the same name. */
const SIGNED_COLUMNS = [
  'bundleId',
  'hostId',
  'hostName',
  'check',
  'operation',
  'outcome',
  'severity',
  'started',
  'simulated',
  'remediationId',
];

/** Runs every step up to the first that fails; the last one tells whether the bundle verified. */
export async function verifyBundle(
  bytes: Uint8Array<ArrayBuffer>,
  shown: Shown,
  pins: Pins,
  loadProof: () => Promise<InclusionProof>,
): Promise<VerificationStep[]> {
  const steps: VerificationStep[] = [];
  const check = async (name: string, run: () => Promise<string>): Promise<boolean> => {
    try {
      steps.push({ name, ok: true, detail: await run() });
      return true;
    } catch (error) {
      steps.push({ name, ok: false, detail: error instanceof Error ? error.message : 'failed' });
      return false;
    }
  };

  let payload: Uint8Array<ArrayBuffer> = new Uint8Array();
  let proof: InclusionProof | undefined;
  const leafHash = await hashLeaf(bytes);

  const run: [string, () => Promise<string>][] = [
    ['The bundle’s bytes', async () => `${bytes.length} bytes, SHA-256 ${toHex(await sha256(bytes))}`],
    [
      'Signature by the host’s pinned key',
      async () => {
        const envelope = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Envelope;
        if (envelope.payloadType !== PAYLOAD_TYPE) throw new Error('the payload type is not in-toto');
        const key = Object.hasOwn(pins.hosts, shown.hostId) ? pins.hosts[shown.hostId] : undefined;
        if (key === undefined) throw new Error('no key is pinned for this host');
        payload = fromBase64(envelope.payload);
        const message = preAuthenticationEncoding(envelope.payloadType, payload);
        const publicKey = fromBase64(key);
        for (const { keyid, sig } of envelope.signatures) {
          if (await verifyEd25519(publicKey, message, fromBase64(sig))) return `Ed25519, key ${keyid}`;
        }
        throw new Error('the pinned key of this host did not sign these bytes');
      },
    ],
    [
      'Statement is about what is shown',
      async () => {
        const statement = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as {
          _type: string;
          predicate: Readonly<Record<string, unknown>>;
        };
        if (statement._type !== STATEMENT_TYPE) throw new Error('not an in-toto Statement v1');
        const { predicate } = statement;
        if (predicate['bundleId'] !== shown.bundleId) throw new Error('the signed bundle id is another one');
        if (predicate['hostId'] !== shown.hostId) throw new Error('the signed host is another one');
        if (!isSameJson(predicate, shown.predicate))
          throw new Error('the server shows something else than what was signed');
        const differing = SIGNED_COLUMNS.find((name) => !isSameJson(predicate[name], shown.row[name]));
        if (differing !== undefined) throw new Error(`the server shows another ${differing} than what was signed`);
        if (!(Date.parse(String(predicate['ended'])) >= Date.parse(String(predicate['started']))))
          throw new Error('it ends before it starts');
        return `in-toto Statement v1; all that is shown below is what was signed`;
      },
    ],
    [
      'Inclusion in the transparency log',
      async () => {
        proof = await loadProof();
        if (!areEqual(fromHex(proof.leafHash), leafHash))
          throw new Error('the log’s leaf is not the hash of these bytes');
        return `leaf ${proof.index} of ${proof.treeSize}, ${proof.hashes.length} hashes to the root`;
      },
    ],
    [
      'Checkpoint signed by the pinned log key',
      async () => {
        if (proof === undefined) throw new Error('there is no proof');
        const checkpoint = await openCheckpoint(proof.checkpoint, pins.logKey);
        if (checkpoint.size !== proof.treeSize) throw new Error('the checkpoint is of another tree size');
        const root = await rootOfInclusion(proof.index, proof.treeSize, leafHash, proof.hashes.map(fromHex));
        if (root === undefined || !areEqual(root, checkpoint.root))
          throw new Error('the proof does not lead to the signed root');
        return `${checkpoint.origin}, size ${checkpoint.size}, root ${toHex(checkpoint.root)}`;
      },
    ],
  ];
  for (const [name, step] of run) {
    if (!(await check(name, step))) break;
  }
  return steps;
}

/** DSSE v1: `DSSEv1 <len> <type> <len> <payload>`. */
function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const type = new TextEncoder().encode(payloadType);
  const head = new TextEncoder().encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  return concatenate(head, payload);
}
