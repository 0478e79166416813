#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Allocations per proxied request in steady state: two runs that differ only in the number of requests, and the difference of
# their allocations divided by it. Needs cc, h2load (nghttp2-client) and a release build.
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'kill $origin 2>/dev/null || true; rm -rf "$folder"' EXIT
cc -O2 -shared -fPIC -o "$folder/count.so" Tests/Bench/count_allocations.c
.build/release/origin --port 19001 >/dev/null &
origin=$!
sleep 0.5

run() {
    LD_PRELOAD="$folder/count.so" .build/release/gateway --port 19000 --workers 1 --log "$folder/log" \
        --upstream http://127.0.0.1:19001 >/dev/null 2>"$folder/err" &
    gateway=$!
    sleep 0.5
    h2load --h1 -n "$1" -c 16 http://127.0.0.1:19000/bytes/1000 >/dev/null
    kill -TERM $gateway
    wait $gateway
    sed -n 's/^allocations //p' "$folder/err"
}

few=$(run 20000)
many=$(run 120000)
echo "allocations: $few for 20,000 requests, $many for 120,000"
echo "per request in steady state: $(echo "scale=5; ($many - $few) / 100000" | bc)"
