#!/bin/sh
# Makes the certificates of the tests of TLS anew: an authority, a server on 127.0.0.1 and a
# client, all of them good for a hundred years and for nothing else.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

issue() { # name, extensions
    key "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=serinus test $1" -out "$scratch/$1.csr"
    printf '%s\n' "$2" "basicConstraints=critical,CA:FALSE" > "$scratch/$1.ext"
    openssl x509 -req -in "$scratch/$1.csr" -CA authority.pem -CAkey "$scratch/authority.key" \
        -CAcreateserial -CAserial "$scratch/serial" -days 36500 -extfile "$scratch/$1.ext" \
        -out "$1.pem"
}

key "$scratch/authority.key"
openssl req -x509 -new -key "$scratch/authority.key" -subj "/CN=serinus test authority" \
    -days 36500 -addext "keyUsage=critical,keyCertSign" -out authority.pem
issue server "subjectAltName=IP:127.0.0.1"
issue client "extendedKeyUsage=clientAuth"
