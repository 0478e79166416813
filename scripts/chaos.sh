#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the chaos test with new seeds for SECONDS under each sanitizer: scripts/chaos.sh [SECONDS] [address] [thread].
# A failure comes with its seed: CHAOS_SEED=NUMBER scripts/chaos.sh runs that one alone, again and again.
set -eu
cd "$(dirname "$0")/.."
export CHAOS_SECONDS="${1:-60}"
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- address thread
sh scripts/prepare.sh
# The first race ends the process, so that the seed that was named last is the one that has it.
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1}"
for sanitizer in "$@"; do
    echo "== chaos, sanitizer: $sanitizer"
    # The gateway and the command alone: threads of the test library hang under ThreadSanitizer before the first test. LLVM's linker,
    # because gold warns of a hundred names of AddressSanitizer's.
    GATEWAY_SANITIZER=$sanitizer swift build --product ChaosCommand --sanitize="$sanitizer" -Xswiftc -use-ld=lld \
        --scratch-path ".build-$sanitizer"
    ".build-$sanitizer/debug/ChaosCommand"
done
