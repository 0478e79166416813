// SPDX-License-Identifier: Apache-2.0
// The `client` command: arguments in, exit status out.

import Client
import Glibc

exit(
    CommandRunner.run(Array(CommandLine.arguments.dropFirst())) { name in
        unsafe getenv(name).map { unsafe String(cString: $0) }
    })
