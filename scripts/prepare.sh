#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the system packages that the build needs, where they are missing, and says what else is.
set -eu

missing=""
for package in libssl-dev zlib1g-dev; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ]; then
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "Missing:$missing. Install with: apt-get install$missing (as root)" >&2
            exit 1
        }
        as_root=sudo
    fi
    echo "Installing$missing"
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    $as_root apt-get install -y -qq --no-install-recommends $missing
fi

command -v swift >/dev/null || {
    echo "Swift is missing: this needs Swift 6.3 or later for Linux, from https://www.swift.org/install/linux/" >&2
    exit 1
}
