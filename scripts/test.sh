#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and runs all tests. Further words go to `swift test`: scripts/test.sh --sanitize=address
set -eu
cd "$(dirname "$0")/.."
sh scripts/prepare.sh
exec swift test "$@"
