/* SPDX-License-Identifier: Apache-2.0
 * Read by the leak checker of `swift test --sanitize=address`: XCTest's own runner, which SwiftPM starts even when there is no
 * XCTest, leaks a few hundred bytes. Nothing of ours is left out. */
#include "options.h"

const char *__lsan_default_suppressions(void) { return "leak:libXCTest.so\n"; }
