// SPDX-License-Identifier: Apache-2.0
// One loop's side of a pool: whose turn it is, the loop's connections to each server, those who wait for one, and the budget
// of repetitions. Connections are kept by the identity of their server, so they stay when others come and go.

public import Engine
public import Settings

/// One loop's view of a pool.
///
/// `@unchecked Sendable` is safe because everything but `loop` and `pool` is touched only on `loop`, to which `poolChanged`
/// submits itself.
public final class PoolView: @unchecked Sendable {
    /// The pool.
    public let pool: ServerPool
    private let loop: Loop
    /// Waits and limits of its connections.
    public let options: UpstreamOptions
    private let queue: BusyQueue
    private var balancer: Balancer
    private var budget: RetryBudget
    private let repeated: StatusSet
    /// In the order of the balancer's members.
    private var connections: [ConnectionPool] = []
    /// Nil where no connection is kept open for nothing.
    private let warmer: PoolWarmer?

    /// A view of `pool`, made before the loop is started or on it.
    public init(_ pool: ServerPool, loop: Loop, options: UpstreamOptions) {
        self.pool = pool
        self.loop = loop
        self.options = options
        let settings = pool.settings
        queue = BusyQueue(
            loop: loop, others: pool.waiting, limit: (settings.queue + options.loops - 1) / options.loops,
            share: options.share, timeout: settings.queueTimeout)
        repeated = StatusSet(settings.retries.statuses)
        budget = RetryBudget(percent: settings.retries.budget, least: settings.retries.least, loops: options.loops)
        balancer = Balancer(pool)
        warmer = settings.balance.warm > 0 ? PoolWarmer(loop) : nil
        arrange()
        pool.observe(
            isAlive: { [weak self] in self != nil },
            changed: { [weak self] in self?.poolChanged() })
        warmer?.view = self
        if warmer != nil { loop.submit { [weak self] in self?.warmer?.start() } }
    }

    /// Opens connections to servers that have fewer idle ones than are to be kept.
    func warm() {
        if balancer.isStale(at: loop.milliseconds) { refresh() }
        let share = (pool.settings.balance.warm + options.loops - 1) / options.loops
        for (index, member) in balancer.members.list.enumerated() where member.state.isUsable && member.weight > 0 {
            connections[index].warm(to: share)
        }
    }

    /// How requests may be repeated.
    public var retries: Configuration.Retries { pool.settings.retries }

    // MARK: For a request

    /// Counts a request, of which a part may be repeated.
    public func requestBegan() { budget.requestBegan(at: loop.milliseconds) }

    /// Whether another server should be asked when one answers with this status.
    public func repeats(_ status: UInt16) -> Bool { repeated.contains(status) }

    /// Whether the budget allows one more repetition, which is counted if so.
    public func mayRepeat() -> Bool { budget.mayRepeat(at: loop.milliseconds) }

    /// What choosing a server came to.
    public enum Choice {
        /// The loop's connections to the server whose turn it is.
        case server(ConnectionPool)
        /// No server that may be asked has room for this request now.
        case busy(Room)
        /// There is no server that may be asked.
        case nobody
    }

    /// The server whose turn it is, passing over those that were tried and those without room.
    ///
    /// - Parameters:
    ///   - claim: What the request asks of a server.
    ///   - key: The hash of what decides, where the pool hashes.
    ///   - token: Stands for the server that the client wants back to, where the pool has a sticky cookie.
    public func choose(
        tried: TriedServers, claim: PlaceClaim, key: UInt64? = nil, sticky token: UInt64? = nil
    ) -> Choice {
        if balancer.isStale(at: loop.milliseconds) { refresh() }
        if let token, let index = stuckTo(token, tried, claim) { return .server(connections[index]) }
        switch balancer.choose(tried: tried, key: key, claim: claim) {
        case .server(let index): return .server(connections[index])
        case .busy(let room): return .busy(room)
        case .nobody: return .nobody
        }
    }

    /// The server that a client is stuck to, while requests may go there and it has room.
    private func stuckTo(_ token: UInt64, _ tried: TriedServers, _ claim: PlaceClaim) -> Int? {
        for index in connections.indices where connections[index].stickyToken == token {
            let server = balancer.members.list[index].server
            let isOpen = balancer.members.keepsClients(index) && !tried.contains(server)
            return isOpen && claim.room(at: server) == .free ? index : nil
        }
        return nil
    }

    /// Whether `next` would find a server that is known to be well.
    public func hasAnother(than tried: TriedServers) -> Bool {
        !balancer.members.isPanicking
            && balancer.members.eligible.contains { !tried.contains(balancer.members.list[$0].server) }
    }

    /// Whether such a server has room for this request.
    public func hasRoom(for claim: PlaceClaim, besides tried: TriedServers) -> Bool {
        !balancer.members.isPanicking
            && balancer.members.eligible.contains {
                let server = balancer.members.list[$0].server
                return !tried.contains(server) && claim.room(at: server) == .free
            }
    }

    /// Whether the request may want a tunnel, and no server has room for one.
    public func isOutOfTunnels(for claim: PlaceClaim) -> Bool {
        claim.wantsTunnel
            && balancer.members.eligible.allSatisfy {
                claim.tunnelRoom(at: balancer.members.list[$0].server) != .free
            }
    }

    /// Whether others wait for a connection already, so that whoever comes has to go behind them.
    public var isCrowded: Bool { pool.waiting.isCrowded }

    /// Lets an attempt wait for a connection to any of the servers. Nil when too many wait already, or too many of its client.
    ///
    /// - Parameters:
    ///   - isNewcomer: Whether it has tried no server yet, and so may go to any.
    ///   - isHeldBack: Whether there was room, but not for its client.
    public func wait(
        _ attempt: Attempt, _ claimant: Claimant?, isNewcomer: Bool, isHeldBack: Bool
    ) -> WaitingTicket? {
        queue.enter(attempt, claimant, isNewcomer: isNewcomer, isHeldBack: isHeldBack)
    }

    /// The attempt waits no more.
    public func stopWaiting(_ ticket: WaitingTicket) { queue.leave(ticket) }

    /// Closes every idle connection.
    public func closeIdle() {
        warmer?.view = nil
        for pool in connections { pool.closeIdle() }
    }

    // MARK: Changes

    /// Called from any thread.
    private func poolChanged() { loop.submit { [weak self] in self?.refresh() } }

    private func refresh() {
        guard balancer.isStale(at: loop.milliseconds) else { return }
        let former = balancer.members
        balancer.refresh(at: loop.milliseconds)
        arrange()
        moveWaiting(former)
        queue.wake()
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
            if !member.state.isUsable, !balancer.members.isPanicking { found.closeIdle() }
            return found
        }
        for pool in former.values {
            pool.keepsIdle = false
            pool.closeIdle()
        }
    }

    /// Requests that wait, without a byte of a response, on a server that has just been taken out go elsewhere: a server
    /// that hangs is worse than one that is gone, which says so.
    private func moveWaiting(_ former: Members) {
        var wasOut: Set<UInt32> = []
        // While there was nobody better, what waited stayed; perhaps there is now.
        if !former.isPanicking, !former.eligible.isEmpty {
            for member in former.list where member.isTakenOut { wasOut.insert(member.server.identity) }
        }
        var isOut: Set<UInt32> = []
        for member in balancer.members.list
        where member.isTakenOut && !wasOut.contains(member.server.identity) {
            isOut.insert(member.server.identity)
        }
        guard !isOut.isEmpty, !balancer.members.eligible.isEmpty, !balancer.members.isPanicking else { return }
        // Collected first, for those that move change what is walked through.
        var waiting: [UpstreamConnection] = []
        loop.forEachWatcher { watcher in
            guard let connection = watcher as? UpstreamConnection, connection.isWaiting,
                connection.pool.pool === pool, isOut.contains(connection.server.identity)
            else { return }
            waiting.append(connection)
        }
        for connection in waiting { connection.serverTakenOut() }
    }
}
