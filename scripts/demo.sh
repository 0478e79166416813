#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds a release and runs the gateway in front of three small origins of its own, on http://localhost:8080/.
# Further words are flags of the gateway: scripts/demo.sh --port 8090
set -eu
cd "$(dirname "$0")/.."
sh scripts/prepare.sh
swift build -c release
exec .build/release/gateway --log proxy_log.txt "$@"
