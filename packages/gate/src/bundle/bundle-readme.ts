/** What a bundle says about itself to whoever has none of our software. Part of the format: another text is another format. */
export const BUNDLE_README = `Records of a release gate
=========================

log.jsonl    one record a line: a DSSE envelope (https://github.com/secure-systems-lab/dsse) around an
             in-toto Statement v1. Nothing else decides; boards and verdicts are derived from it.
checkpoint   the signed head: a C2SP checkpoint (https://c2sp.org/tlog-checkpoint) over the RFC 6962
             Merkle tree whose leaves are the lines of log.jsonl without their newlines.
objects/     outputs of commands and proofs, named by their SHA-256.
keys.json    for information: the public keys of the newest gate file. They prove nothing about
             themselves. Get the keys of the people from somewhere else and pin them.

With Holdfast: holdfast gate verify <this file> --keys <pinned keys>

With standard tools, one record (here the first), given its signer's public key as key.pem:

  sed -n 1p log.jsonl > line.json
  jq -r .payload line.json | base64 -d > payload.json
  jq -r '.signatures[0].sig' line.json | base64 -d > sig.bin
  { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < payload.json)"; cat payload.json; } > signed.bin
  openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in signed.bin -sigfile sig.bin

An output: sha256sum objects/<2>/<62> prints its own name.
`;
