#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# TLS handshakes, good ones and such as break off anywhere, under AddressSanitizer and LeakSanitizer: handshakes.sh [COUNT]
#
# Prints how many of each kind were done; fails when memory was misused or leaked, or a connection was left behind.
set -eu
cd "$(dirname "$0")/../.."
GATEWAY_HANDSHAKES=${1:-100000} ASAN_OPTIONS=detect_leaks=1 \
    swift test --sanitize=address --scratch-path .build-asan --filter HandshakeSoakTests
