// SPDX-License-Identifier: Apache-2.0
public import Engine
import Glibc
import Synchronization

/// The number of client connections of all loops, and its limit.
public final class ConnectionBudget: Sendable {
    private let open = Atomic<Int>(0)
    /// Connections at most.
    public let limit: Int

    /// The limit for each client, if there is one.
    let clients: ClientConnections?

    /// A budget of `limit` connections, of which one client has so many.
    public init(limit: Int, clients: ClientConnections? = nil) {
        self.limit = limit
        self.clients = clients
    }

    /// Takes one, unless all are taken.
    func take() -> Bool {
        if open.add(1, ordering: .relaxed).newValue <= limit { return true }
        open.subtract(1, ordering: .relaxed)
        return false
    }

    /// Whether there is one left; another loop may take it first.
    var hasRoom: Bool { open.load(ordering: .relaxed) < limit }

    func give() { open.subtract(1, ordering: .relaxed) }

    /// Connections that are open now.
    public var count: Int { open.load(ordering: .relaxed) }
}

/// Accepts clients on one loop and makes a connection of each.
public final class Listener: Acceptor {
    private let service: Service
    private let budget: ConnectionBudget
    private let security: HandshakeDesk?
    private let report: @Sendable (String) -> Void

    /// A listener that serves `service`, in the clear or through TLS where there is `security`. `report` is told in a
    /// sentence when accepting has to pause.
    public init(
        _ listener: consuming Descriptor, service: Service, budget: ConnectionBudget, security: HandshakeDesk? = nil,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.service = service
        self.budget = budget
        self.security = security
        self.report = report
        super.init(listener, on: service.loop)
    }

    public override func mayAccept() -> Bool {
        if budget.hasRoom { return true }
        report("accepting pauses: all \(budget.limit) client connections are in use (--max-connections)")
        return false
    }

    public override func accepted(_ descriptor: consuming Descriptor, from peer: SocketAddress) {
        // Another loop may have taken the last one in this very moment; then the newcomer is closed.
        guard let place = budget.place(for: peer) else { return }
        if let security {
            security.begin(descriptor, place: place, service: service)
        } else {
            let connection = HTTP1Connection(descriptor, layer: nil, place: place, service: service)
            connection.start()
        }
    }

    public override func pausedAccepting(_ code: Int32) {
        report(
            "accepting pauses for 100 ms: accept4: \(SystemFailure.reason(code)); raise the descriptor limit (ulimit -n)"
        )
    }
}
