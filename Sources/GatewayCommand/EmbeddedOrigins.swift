// SPDX-License-Identifier: Apache-2.0
import Engine
import Origin
import Proxy
import Control
import Settings

/// Three small origin servers on loopback: what the gateway balances over when it is told of nothing else, so that its main
/// job can be seen on a machine with nothing installed.
struct EmbeddedOrigins {
    private let servers: [OriginServer]

    /// Starts them on a loop of their own, on ports that the system chooses.
    init(report: @escaping @Sendable (String) -> Void) throws(StartFailure) {
        var started: [OriginServer] = []
        do throws(SystemFailure) {
            let loop = try Loop(index: 0)
            loop.start()
            for name in ["one", "two", "three"] {
                started.append(
                    try OriginServer(
                        name: name, root: nil, at: SocketAddress(ipv4: 0x7F00_0001, port: 0), on: loop, report: report))
            }
        } catch {
            throw StartFailure("the embedded origins cannot be started: \(error)")
        }
        servers = started
    }

    /// The pool that balances over them.
    var pool: Configuration.Pool {
        Configuration.Pool(
            name: "default", servers: servers.map { Configuration.Server(host: "127.0.0.1", port: $0.address.port) })
    }
}
