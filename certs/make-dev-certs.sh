#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes certificates for development: an authority (once), a server certificate for the names given, and a client certificate.
# Nobody but this machine should ever trust the authority.
set -eu

usage() {
    cat <<'TEXT'
usage: make-dev-certs.sh [--rsa] [--dir FOLDER] [NAME ...]

Makes in FOLDER (by default the folder of this script):
  ca.pem, ca.key                  the development authority; kept when it is there already
  server.pem, server.key          for the NAMEs (host names or addresses; by default localhost 127.0.0.1 ::1), ECDSA
  server-rsa.pem, server-rsa.key  the same with RSA, with --rsa
  client.pem, client.key          for clients that must show a certificate
TEXT
}

folder=$(dirname "$0")
rsa=no
names=
while [ $# -gt 0 ]; do
    case $1 in
    --rsa) rsa=yes ;;
    --dir)
        [ $# -gt 1 ] || { echo "make-dev-certs.sh: --dir needs a folder" >&2; exit 2; }
        folder=$2
        shift
        ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "make-dev-certs.sh: there is no flag $1" >&2; usage >&2; exit 2 ;;
    *[!A-Za-z0-9.:*_-]*) echo "make-dev-certs.sh: $1 is neither a name nor an address" >&2; exit 2 ;;
    *) names="$names $1" ;;
    esac
    shift
done
[ -n "$names" ] || names="localhost 127.0.0.1 ::1"
command -v openssl >/dev/null || { echo "make-dev-certs.sh: openssl is not installed" >&2; exit 1; }

# Nobody else may read what is made from here on.
umask 077
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

new_key() { # kind file
    case $1 in
    rsa) openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$2" ;;
    *) openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$2" ;;
    esac
}
# Debian 12's openssl genpkey does not know -quiet; its dots go nowhere then.
openssl genpkey -quiet -algorithm ED25519 -out /dev/null 2>/dev/null || new_key() {
    case $1 in
    rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$2" 2>/dev/null ;;
    *) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$2" 2>/dev/null ;;
    esac
}

if [ ! -s "$folder/ca.key" ] || [ ! -s "$folder/ca.pem" ]; then
    new_key ec "$work/ca.key"
    openssl req -new -x509 -sha256 -days 3650 -key "$work/ca.key" -subj "/CN=Development CA of $(uname -n)" \
        -config /dev/stdin -extensions authority -out "$work/ca.pem" <<'TEXT'
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
TEXT
    mv "$work/ca.key" "$work/ca.pem" "$folder/"
fi

issue() { # file kind subject usage alternatives
    new_key "$2" "$work/$1.key"
    openssl req -new -key "$work/$1.key" -subj "/CN=$3" -config /dev/stdin -out "$work/$1.csr" <<'TEXT'
[req]
distinguished_name = name
[name]
TEXT
    {
        echo "basicConstraints = critical, CA:FALSE"
        echo "keyUsage = critical, digitalSignature"
        echo "extendedKeyUsage = $4"
        echo "subjectKeyIdentifier = hash"
        echo "authorityKeyIdentifier = keyid"
        [ -z "$5" ] || echo "subjectAltName = $5"
    } >"$work/$1.ext"
    openssl x509 -req -sha256 -days 397 -in "$work/$1.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" \
        -set_serial "0x$(openssl rand -hex 15)" -extfile "$work/$1.ext" -out "$work/$1.leaf" 2>/dev/null
    cat "$work/$1.leaf" "$folder/ca.pem" >"$work/$1.pem"
    # The key first: a gateway that watches the files never sees a certificate whose key is still to come.
    mv "$work/$1.key" "$folder/$1.key"
    mv "$work/$1.pem" "$folder/$1.pem"
}

alternatives=
first=
for name in $names; do
    [ -n "$first" ] || first=$name
    case $name in
    *:*) kind=IP ;;
    *[!0-9.]*) kind=DNS ;;
    *) kind=IP ;;
    esac
    alternatives="$alternatives${alternatives:+, }$kind:$name"
done

issue server ec "$first" serverAuth "$alternatives"
[ "$rsa" = no ] || issue server-rsa rsa "$first" serverAuth "$alternatives"
issue client ec "Development client" clientAuth ""
echo "made certificates for ${names# } in $folder; trust $folder/ca.pem to use them"
