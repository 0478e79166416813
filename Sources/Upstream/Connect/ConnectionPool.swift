// SPDX-License-Identifier: Apache-2.0
// The connections of one loop to one server. Each loop has its own, so leasing one takes no lock; the limits are for the
// process, so each loop keeps its share of the idle ones, and the open ones are counted in the shared server.

public import Engine
public import HTTP
public import Settings

/// Waits and limits of the upstream side, from the configuration. Durations are milliseconds.
public struct UpstreamOptions: Sendable {
    /// For one address to accept: 504.
    public var connectTimeout: Int
    /// For a TLS handshake: 504.
    public var handshakeTimeout: Int
    /// From the end of the request to the first byte of the response: 504.
    public var firstByteTimeout: Int
    /// Silence within a response, or a server that takes no more of the request.
    public var readTimeout: Int
    /// Silence of an upgraded connection.
    public var tunnelTimeout: Int
    /// Between two requests; a server may ask for less.
    public var idleTimeout: Int
    /// The age at which a connection is not used again.
    public var maxAge: Int
    /// Of a response's head: 502.
    public var head: HeadLimits
    /// A response's head, from its first byte to its last: 504.
    public var headTimeout: Int
    /// How long a client that has its share of places may neither send nor take anything: 408.
    public var stallTimeout: Int
    /// In use at once in all loops: requests wait beyond them.
    public var connectionsPerServer: Int
    /// Tunnels at once in all loops: 503.
    public var tunnelsPerServer: Int
    /// What one client may have of these.
    public var share: ClientShare
    /// Idle connections that one loop keeps for one server; where the settings name no number, as many as were in use.
    public var idlePerLoop: Int
    /// Told in a sentence what the operator should know.
    let report: @Sendable (String) -> Void
    /// Loops that share the limits that are for the process.
    let loops: Int

    /// The part of `configuration` that matters here, for one of `loops` loops.
    public init(_ configuration: Configuration, loops: Int, report: @escaping @Sendable (String) -> Void) {
        self.report = report
        self.loops = loops
        let timeouts = configuration.timeouts
        let limits = configuration.limits
        connectTimeout = timeouts.connect
        handshakeTimeout = timeouts.handshake
        firstByteTimeout = timeouts.firstByte
        readTimeout = timeouts.read
        tunnelTimeout = timeouts.tunnel
        idleTimeout = timeouts.upstreamIdle
        maxAge = timeouts.upstreamAge
        headTimeout = timeouts.responseHead
        stallTimeout = timeouts.stall
        head = HeadLimits(headBytes: limits.headBytes, lineBytes: limits.lineBytes, fields: limits.fields)
        connectionsPerServer = limits.connectionsPerUpstream
        tunnelsPerServer = limits.tunnelsPerUpstream
        share = ClientShare(percent: limits.clientShare)
        idlePerLoop = limits.idlePerUpstream.map { max(1, ($0 + loops - 1) / loops) } ?? limits.connectionsPerUpstream
    }
}

/// One loop's connections to one server.
public final class ConnectionPool {
    let loop: Loop
    /// The server that all of them lead to.
    public let server: UpstreamServer
    let pool: ServerPool
    let options: UpstreamOptions
    /// Those that idle, the one that idles longest first; among them some that have ended since.
    private var idle: ContiguousArray<UpstreamConnection> = []
    /// How many of `idle` have ended.
    private var ended = 0
    /// Connections that are being made for nobody yet.
    private var warming = 0
    /// False for a server that drains or has left.
    var keepsIdle = true
    /// What stands for the server in the pool's sticky cookie, if it has one.
    public internal(set) var stickyToken: UInt64 = 0
    /// False for the connections of health checks: they are not counted, and leave it to the check to say what a failure means.
    let isForRequests: Bool

    /// An empty pool of connections to `server`, which is one of `pool`.
    init(
        loop: Loop, server: UpstreamServer, pool: ServerPool, options: UpstreamOptions, isForRequests: Bool = true
    ) {
        self.isForRequests = isForRequests
        self.loop = loop
        self.server = server
        self.pool = pool
        self.options = options
    }

    /// What `lease` came to.
    public enum Lease {
        /// A connection that has served before and stands.
        case reused(UpstreamConnection)
        /// A new one; the attempt will be told when it stands or fails.
        case connecting(UpstreamConnection)
        /// The server has as many connections as it may have.
        case exhausted
    }

    /// Gives `attempt` a connection: the one that idled last, or a new one.
    ///
    /// - Parameters:
    ///   - fresh: Whether only a new one will do, because an idle one failed just now.
    ///   - verify: Whether to make sure with a system call that the server has not closed it: worth it for a request that
    ///     could not be repeated.
    ///   - claimant: The client whose share the connection counts for.
    public func lease(for attempt: Attempt, fresh: Bool, verify: Bool, claimant: Claimant? = nil) -> Lease {
        while !fresh, let connection = idle.last {
            guard connection.isReusable(at: loop.milliseconds, verify: verify) else {
                idle.removeLast()
                if connection.phase == .closed { ended -= 1 } else { connection.discard() }
                continue
            }
            guard server.reuseConnection(limit: options.connectionsPerServer) else { return .exhausted }
            idle.removeLast()
            connection.take(claimant)
            connection.leave(idleFor: attempt)
            server.countPick()
            return .reused(connection)
        }
        if isForRequests {
            guard server.takeConnection(limit: options.connectionsPerServer) else { return .exhausted }
            server.countPick()
        }
        let connection = UpstreamConnection(pool: self, attempt: attempt)
        connection.take(claimant)
        connection.connect()
        return .connecting(connection)
    }

    /// Opens connections until so many idle, or as many as may idle on this loop.
    func warm(to count: Int) {
        while idleCount + warming < min(count, options.idlePerLoop) {
            guard server.takeConnection(limit: options.connectionsPerServer) else { return }
            warming += 1
            UpstreamConnection(pool: self, attempt: nil).connect()
        }
    }

    /// One of them stands, or has failed.
    func warmed() { warming -= 1 }

    /// Whether the server has closed idle connections before their time here was over.
    public var closesEarly: Bool { server.idleAllowance(at: loop.milliseconds) < options.idleTimeout }

    private var idleCount: Int { idle.count - ended }

    /// Takes back a connection whose exchange is over. False when there are enough: as many as may idle, or, with those of
    /// other loops and those in use, more than may be in use at once.
    func takeBack(_ connection: UpstreamConnection) -> Bool {
        guard keepsIdle, idleCount < options.idlePerLoop,
            server.connectionCount <= max(options.connectionsPerServer, options.idlePerLoop)
        else { return false }
        idle.append(connection)
        placeFreed()
        return true
    }

    /// A connection idles, or has ended: who waits for one, on whatever loop, may have it.
    func placeFreed() {
        if isForRequests { pool.waiting.placeFreed(on: loop) }
    }

    /// An idle connection ends. It leaves the list with the next that are taken from it, or once half of the list has ended:
    /// to look for it would cost as much as there are, for each of them.
    func idleEnds(_ connection: UpstreamConnection) {
        connection.discard()
        ended += 1
        guard ended > idle.count / 2 else { return }
        idle.removeAll { $0.phase == .closed }
        ended = 0
    }

    /// The server has answered a request as it should.
    public func requestSucceeded() { server.countSuccess() }

    /// A request on the server failed, in words that follow "the last: ".
    ///
    /// - Parameter atLeast: How long the server asked to be left alone (`Retry-After`), in milliseconds.
    public func requestFailed(_ reason: String, atLeast: UInt64 = 0) {
        pool.requestFailed(server, reason, atLeast: atLeast, at: loop.milliseconds)
    }

    /// Closes every idle connection.
    public func closeIdle() {
        for connection in idle { connection.discard() }
        idle.removeAll()
        ended = 0
    }
}
