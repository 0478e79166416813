// SPDX-License-Identifier: Apache-2.0
// The address for the operator: what is stored and why, and purges. It has a loop of its own, so what is asked here costs
// no client's request a wait, and answers come when all other loops are busy.

import CacheStore
import Engine
import Proxy
import Serving
import Settings
import Synchronization
import TLS

/// What the admin address serves.
final class AdminService: Service {
    let cache: ResponseCache?
    let snapshot: Snapshot

    init(cache: ResponseCache?, snapshot: Snapshot, loop: Loop) {
        self.cache = cache
        self.snapshot = snapshot
        super.init(loop: loop, options: ServingOptions())
    }

    override func makeExchange() -> Exchange { AdminExchange(service: self) }
}

/// The listening admin address.
final class AdminServer: Sendable {
    /// Where it listens.
    let address: SocketAddress
    private let loop: Loop
    /// Connections at a time, at most: it is for people and scripts.
    private static let connections = 64
    private let places = ClientPlaces(limit: connections)
    private let confined: Confined

    /// What is used on the loop only.
    ///
    /// `@unchecked Sendable` is safe because it is made here and then touched only within `loop.perform`.
    private final class Confined: @unchecked Sendable {
        let service: AdminService
        let listener: Listener
        init(service: AdminService, listener: Listener) {
            self.service = service
            self.listener = listener
        }
    }

    /// Listens, on a loop of that index; `start` begins to serve.
    init(
        _ endpoint: Configuration.Endpoint, cache: ResponseCache?, snapshot: Snapshot, loopIndex: Int,
        report: @escaping @Sendable (String) -> Void
    ) throws(StartFailure) {
        guard let wanted = SocketAddress(numeric: endpoint.address, port: endpoint.port) else {
            throw StartFailure("--admin \(endpoint.text): not a numeric address")
        }
        let loop: Loop
        let listener: Listener
        do throws(SystemFailure) {
            loop = try Loop(index: loopIndex)
            let service = AdminService(cache: cache, snapshot: snapshot, loop: loop)
            listener = Listener(
                try Sockets.listen(on: wanted, shared: false), service: service, places: places, report: report)
            confined = Confined(service: service, listener: listener)
        } catch {
            throw StartFailure("--admin \(endpoint.text): cannot listen: \(error.reason)")
        }
        self.loop = loop
        address = listener.address
        if !Configuration.Endpoint.isLoopback(endpoint.address) {
            report(
                "the admin address \(address) can be reached from other machines, and has no password: who reaches it may "
                    + "see and purge what is stored")
        }
    }

    /// Begins to serve.
    func start() throws(StartFailure) {
        let confined = confined
        loop.start()
        try loop.begin("--admin \(address)") { () throws(SystemFailure) in try confined.listener.start() }
    }

    /// Ends it, open connections too.
    func stop() {
        let confined = confined
        loop.perform {
            confined.listener.stop()
            confined.service.cut()
        }
    }
}
