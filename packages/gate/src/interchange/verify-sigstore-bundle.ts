/**
 * Verifies a Sigstore bundle offline: certificate chain, certificate transparency, transparency log
 * and signature against a trusted root that the caller pinned; never against one that came with the bundle
 * or from the network. Follows https://docs.sigstore.dev/about/bundle/
 */
import { bundleFromJSON, isBundleWithDsseEnvelope } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { z } from 'zod';
import { type InTotoStatement, IN_TOTO_PAYLOAD_TYPE, parseInTotoStatement } from './in-toto-statement.ts';
import { parseDocument, refusedDocument } from './strict-json.ts';

/** Who must have signed; both are compared whole. Without them anybody with an account would do. */
export interface SigstorePolicy {
  /** Subject alternative name of the certificate: a workflow's URL, an e-mail address. */
  readonly identity: string;
  /** OpenID issuer that vouched for it, such as `https://token.actions.githubusercontent.com`. */
  readonly issuer: string;
}

/** One of each: a signed time, a certificate log, a transparency log. */
const THRESHOLDS = { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 };
const Json = z.record(z.string(), z.unknown());

/**
 * @param trustedRoot JSON of the pinned root (`trusted_root.json`)
 * @returns the statement that was signed
 * @throws `ERR_REPORT_MALFORMED` for what does not parse, verify, or fit the policy
 */
export function verifySigstoreBundle(
  bytes: Uint8Array,
  trustedRoot: Uint8Array,
  policy: SigstorePolicy,
): InTotoStatement {
  const root = parseDocument('sigstore trusted root', trustedRoot, Json);
  const json = parseDocument('sigstore bundle', bytes, Json);
  if (policy.identity === '' || policy.issuer === '') throw new TypeError('a policy names identity and issuer');
  let payload: Uint8Array;
  try {
    const bundle = bundleFromJSON(json);
    if (!isBundleWithDsseEnvelope(bundle) || bundle.content.dsseEnvelope.payloadType !== IN_TOTO_PAYLOAD_TYPE)
      throw new Error('no in-toto statement');
    const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(root)), THRESHOLDS);
    const { identity } = verifier.verify(toSignedEntity(bundle), { extensions: { issuer: policy.issuer } });
    // The verifier would take the name for a pattern and find it anywhere in another.
    if (identity?.subjectAlternativeName !== policy.identity) throw new Error('signed by somebody else');
    payload = bundle.content.dsseEnvelope.payload;
  } catch (cause) {
    throw refusedDocument('sigstore bundle', 'it does not verify under the pinned root and policy', cause);
  }
  return parseInTotoStatement(payload);
}
