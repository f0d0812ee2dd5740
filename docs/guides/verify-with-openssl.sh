#!/bin/sh
# Verifies a Holdfast evidence bundle with openssl (3.0 or later) and nothing of ours:
#   sh verify-with-openssl.sh bundle.dsse.json host-key.pem
# Exits 0 and prints the statement when the signature is the key's; anything else is a refusal.
set -eu
bundle=$1 key=$2 dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' "$bundle"; }
type=$(field payloadType)
field payload | base64 -d >"$dir/payload"
field sig | base64 -d >"$dir/sig"
{ printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c <"$dir/payload")"; cat "$dir/payload"; } >"$dir/signed"
openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$dir/signed" -sigfile "$dir/sig" >&2
cat "$dir/payload"
