#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the chaos tests with new seeds under a sanitizer, by default AddressSanitizer: scripts/chaos.sh [SECONDS] [address|thread].
# A failure prints the seed; CHAOS_SEED=NUMBER runs that one alone.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
sh scripts/prepare.sh
for sanitizer in ${2:-address}; do
    echo "== chaos for $seconds s, sanitizer: $sanitizer"
    GATEWAY_SANITIZER=$sanitizer CHAOS_SECONDS=$seconds swift test --sanitize="$sanitizer" \
        --scratch-path ".build-$sanitizer" --filter ChaosTests
done
