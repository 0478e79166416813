#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes the parsers: run.sh SECONDS [request|response|chunked|handshake ...]
#
# Each target runs for SECONDS in turn, starting from its seeds in Corpus/ and from what earlier runs found (kept in
# .build-fuzz/, with the binaries and with the inputs that led to a failure). Stops at the first failure.
set -eu
# Swift's own handler of traps reads the stack in a way that AddressSanitizer takes for the failure.
export SWIFT_BACKTRACE=enable=no

seconds=${1:?"usage: run.sh SECONDS [request|response|chunked|handshake ...]"}
shift
[ $# -gt 0 ] || set -- request response chunked handshake

folder=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$folder/../.." && pwd)
build=$root/.build-fuzz
mkdir -p "$build"

flags="-O -swift-version 6 -sanitize=address,fuzzer -parse-as-library -enable-experimental-feature Lifetimes
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature MemberImportVisibility -assert-config Debug -module-cache-path $build/cache"

# The modules as objects, then each target with its own entry. SwiftPM makes the C modules' maps by itself; here it is done by hand.
for name in CLinux COpenSSL; do
    mkdir -p "$build/$name"
    printf 'module %s { umbrella header "%s" export * }\n' "$name" "$root/Sources/$name/include/$name.h" \
        >"$build/$name/module.modulemap"
    flags="$flags -Xcc -fmodule-map-file=$build/$name/module.modulemap"
done
clang -O1 -g -fsanitize=address -I "$root/Sources/CLinux/include" -c -o "$build/CLinux.o" "$root/Sources/CLinux/CLinux.c"
module() {
    # shellcheck disable=SC2046,SC2086 # lists of words, without spaces in them
    swiftc $flags -wmo -I "$build" -emit-module -emit-module-path "$build/$1.swiftmodule" \
        -module-name "$1" -c -o "$build/$1.o" $(find "$root/Sources/$1" -name '*.swift' | sort)
}
module Bytes
module HTTP
module Engine
module TLS

for target in "$@"; do
    case $target in
        request) source=FuzzRequest.swift ;;
        response) source=FuzzResponse.swift ;;
        chunked) source=FuzzChunked.swift ;;
        handshake) source=FuzzHandshake.swift ;;
        *) echo "run.sh: no such target: $target" >&2; exit 2 ;;
    esac
    # shellcheck disable=SC2086
    swiftc $flags -wmo -I "$build" -module-name Fuzz -o "$build/$target" \
        "$folder/$source" "$folder/Oracle.swift" "$build/HTTP.o" "$build/TLS.o" "$build/Engine.o" "$build/Bytes.o" \
        "$build/CLinux.o" -lssl -lcrypto
    mkdir -p "$build/found/$target" "$build/failed/$target"
    echo "== $target: $seconds s"
    "$build/$target" -max_total_time="$seconds" -max_len=2048 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$build/failed/$target/" -dict="$folder/http.dict" \
        "$build/found/$target" "$folder/Corpus/$target"
done
