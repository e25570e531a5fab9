#!/bin/sh
# Makes the key of the tests of Google's service accounts anew: its file as Google gives it out, less
# the address where tokens are given, and the public key (PKCS #1) that such an endpoint knows.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$scratch/key.pem"
openssl rsa -in "$scratch/key.pem" -RSAPublicKey_out -outform DER -out public.der
jq -n --rawfile key "$scratch/key.pem" '{
    type: "service_account", project_id: "serinus-test", private_key_id: "0123456789abcdef",
    private_key: $key, client_email: "serinus@serinus-test.iam.gserviceaccount.com",
    token_uri: "TOKEN_URI"
}' > account.json
