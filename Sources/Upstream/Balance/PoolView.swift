// SPDX-License-Identifier: Apache-2.0
// One loop's side of a pool: whose turn it is, and the loop's connections to each server. Connections are kept by the identity of
// their server, so they stay when others come and go.

public import Engine

/// One loop's view of a pool.
///
/// `@unchecked Sendable` is safe because everything but `loop` and `pool` is touched only on `loop`, to which `poolChanged`
/// submits itself.
public final class PoolView: @unchecked Sendable {
    /// The pool.
    public let pool: ServerPool
    private let loop: Loop
    private let options: UpstreamOptions
    private var balancer: Balancer
    /// In the order of the balancer's members.
    private var connections: [ConnectionPool] = []

    /// A view of `pool`, made before the loop is started or on it.
    public init(_ pool: ServerPool, loop: Loop, options: UpstreamOptions) {
        self.pool = pool
        self.loop = loop
        self.options = options
        balancer = Balancer(pool)
        arrange()
        pool.watch(self)
    }

    /// The loop's connections to the server whose turn it is, passing over those that were tried. Nil when there is none.
    ///
    /// - Parameters:
    ///   - key: The hash of what decides, where the pool hashes.
    ///   - token: Stands for the server that the client wants back to, where the pool has a sticky cookie.
    public func next(tried: TriedServers, key: UInt64? = nil, sticky token: UInt64? = nil) -> ConnectionPool? {
        if balancer.isStale(at: loop.milliseconds) { refresh() }
        if let token, let index = stuckTo(token, tried) { return connections[index] }
        return balancer.next(tried: tried, key: key).map { connections[$0] }
    }

    /// The server that a client is stuck to, while requests may go there; a draining one keeps those that it has.
    private func stuckTo(_ token: UInt64, _ tried: TriedServers) -> Int? {
        for index in connections.indices where connections[index].stickyToken == token {
            let member = balancer.members.list[index]
            guard member.state.isUsable || member.state == .draining, !tried.contains(member.server) else { return nil }
            return index
        }
        return nil
    }

    /// Closes every idle connection.
    public func closeIdle() {
        for pool in connections { pool.closeIdle() }
    }

    /// Called from any thread.
    func poolChanged() { loop.submit { [weak self] in self?.refresh() } }

    private func refresh() {
        guard balancer.isStale(at: loop.milliseconds) else { return }
        balancer.refresh(at: loop.milliseconds)
        arrange()
    }

    /// Keeps a `ConnectionPool` for every member, and closes what has left.
    private func arrange() {
        var former: [UInt32: ConnectionPool] = [:]
        for pool in connections { former[pool.server.identity] = pool }
        connections = balancer.members.list.map { member in
            let found =
                former.removeValue(forKey: member.server.identity)
                ?? ConnectionPool(loop: loop, server: member.server, pool: pool, options: options)
            if let sticky = pool.sticky { found.stickyToken = sticky.token(for: member.server.hashName) }
            found.keepsIdle = member.state != .draining
            if !member.state.isUsable { found.closeIdle() }
            return found
        }
        for pool in former.values {
            pool.keepsIdle = false
            pool.closeIdle()
        }
    }
}
