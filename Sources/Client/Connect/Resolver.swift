// SPDX-License-Identifier: Apache-2.0
// Names into addresses. `getaddrinfo` cannot be told to give up, so where there is a limit it runs in a thread of its own,
// which is left behind when the time is over.

import Bytes
import CLinux
import Engine
import Glibc
import Synchronization

/// Why a name has no address, in the resolver's words.
struct NoAddress: Error {
    let sentence: String
}

enum Resolver {
    /// The addresses of `host`, none of another family than `family` (0 for any).
    static func addresses(
        _ host: String, port: UInt16, family: Int32, waiting: Waiting
    ) throws(ClientFailure) -> Result<[SocketAddress], NoAddress> {
        let found: Result<[SocketAddress], NoAddress>
        // RFC 6761 section 6.3: localhost is this machine, whatever a resolver says.
        let isLocal = host.lowercased() == "localhost" || host.lowercased().hasSuffix(".localhost")
        if isLocal {
            found = .success(["::1", "127.0.0.1"].compactMap { SocketAddress(numeric: $0, port: port) })
        } else if SocketAddress(numeric: host, port: port) != nil || waiting.deadline.at == nil {
            found = Lookup.system(host, port)
        } else {
            found = try Lookup.run(host, port, waiting)
        }
        return found.map { $0.filter { family == 0 || $0.family == family } }
    }
}

/// One lookup in a thread.
private final class Lookup: Sendable {
    private let host: String
    private let port: UInt16
    private let bell: Int32
    private let outcome = Lock<Result<[SocketAddress], NoAddress>?>(nil)

    private init(_ host: String, _ port: UInt16) {
        self.host = host
        self.port = port
        bell = gw_bell_create()
    }

    // Whoever of the two is last closes it: the thread may outlive the wait.
    deinit { if bell >= 0 { close(bell) } }

    static func run(
        _ host: String, _ port: UInt16, _ waiting: Waiting
    ) throws(ClientFailure) -> Result<[SocketAddress], NoAddress> {
        let lookup = Lookup(host, port)
        guard lookup.bell >= 0, BlockingThread.start({ lookup.work() }) else {
            return system(host, port)
        }
        try waiting.wait(lookup.bell, for: Int16(POLLIN))
        return lookup.outcome.withLock { $0 }
            ?? .failure(NoAddress(sentence: "the lookup ended without an answer"))
    }

    /// Asks the system, however long that takes.
    static func system(_ host: String, _ port: UInt16) -> Result<[SocketAddress], NoAddress> {
        Sockets.resolve(host, port: port).mapError { NoAddress(sentence: $0.reason) }
    }

    private func work() {
        let found = Self.system(host, port)
        outcome.withLock { $0 = found }
        gw_bell_ring(bell)
    }
}
