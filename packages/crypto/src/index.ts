export { decodeBase64, encodeBase64 } from './base64.ts';
export {
  type Checkpoint,
  formatCheckpoint,
  formatVerifierKey,
  parseVerifierKey,
  signCheckpoint,
  signNote,
  verifyCheckpoint,
  verifyNote,
} from './checkpoint.ts';
export { sha256, sha256Hex } from './digest.ts';
export {
  decodeEnvelope,
  encodeEnvelope,
  type Envelope,
  type EnvelopeTrust,
  MAX_ENVELOPE_BYTES,
  preAuthEncoding,
  signEnvelope,
  type VerifiedEnvelope,
  verifyEnvelope,
} from './dsse.ts';
export {
  keyIdOf,
  parsePublicKeyPem,
  PUBLIC_KEY_BYTES,
  publicKeyPem,
  SIGNATURE_BYTES,
  type Signer,
  signerFromKeyObject,
  signerFromSeed,
  verifyEd25519,
  verifyEd25519InPool,
} from './ed25519.ts';
export { GrowingTree } from './growing-tree.ts';
export { generateSigner, loadSigner } from './key-file.ts';
export { isKeyValidAt, type KeyValidity } from './key-validity.ts';
export {
  type ConsistencyClaim,
  consistencyNodes,
  consistencyProof,
  emptyRoot,
  type GetNode,
  HASH_BYTES,
  type InclusionClaim,
  inclusionNodes,
  inclusionProof,
  leafHash,
  nodeHash,
  type NodeId,
  nodesOf,
  rootNodes,
  rootOf,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';
