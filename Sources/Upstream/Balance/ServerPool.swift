// SPDX-License-Identifier: Apache-2.0
// Who is asked next. The counter is shared by all loops, so round robin is even over the whole process, not only within
// each loop; the cycle that it walks is each loop's own copy, made anew when a server's state changes.

import Settings
import Synchronization

/// Servers that may answer the same requests. Shared by the loops.
public final class ServerPool: Sendable {
    /// The pool's name in the configuration.
    public let name: String
    /// The servers, primary and backup, in the order of the configuration.
    public let servers: [UpstreamServer]
    private let cursor = Atomic<UInt64>(0)
    /// Counts changes of any server's state.
    private let generation = Atomic<Int>(1)

    /// A pool of at least one and at most 65 535 servers.
    public init(name: String, servers: [UpstreamServer]) {
        precondition(!servers.isEmpty && servers.count <= Int(UInt16.max), "a pool has servers")
        self.name = name
        self.servers = servers
    }

    func nextTurn() -> UInt64 { cursor.add(1, ordering: .relaxed).oldValue }
    var currentGeneration: Int { generation.load(ordering: .acquiring) }

    /// Connecting to `server` failed.
    public func connectFailed(_ server: UpstreamServer, at now: UInt64) {
        server.startRest(at: now)
        generation.add(1, ordering: .releasing)
    }

    /// Connecting to `server` succeeded.
    public func connectSucceeded(_ server: UpstreamServer) {
        if server.endRest() { generation.add(1, ordering: .releasing) }
    }
}

/// The servers that one request has been sent to, at most `capacity`.
public struct TriedServers: Sendable {
    /// More than the attempts that a request may have.
    public static let capacity = 8
    private var indices = InlineArray<8, UInt16>(repeating: .max)
    /// How many there are.
    public private(set) var count = 0

    /// None yet.
    public init() {}

    /// Remembers a server by its index in the pool.
    public mutating func insert(_ index: Int) {
        guard count < Self.capacity else { return }
        indices[count] = UInt16(index)
        count += 1
    }

    /// Whether the server with this index was tried.
    public func contains(_ index: Int) -> Bool {
        for position in 0..<count where Int(indices[position]) == index { return true }
        return false
    }
}

/// One loop's view of a pool.
public struct Balancer {
    /// The pool it balances over.
    public let pool: ServerPool
    private var order: [UInt16] = []
    private var builtFor = 0
    /// When the first resting server may be tried again.
    private var nextReturn = UInt64.max

    /// A view of `pool`.
    public init(_ pool: ServerPool) { self.pool = pool }

    /// Index of the server whose turn it is, passing over those that rest and those that were tried. Nil when every server
    /// has been tried.
    ///
    /// - Parameter now: monotonic milliseconds.
    public mutating func next(at now: UInt64, tried: TriedServers) -> Int? {
        if builtFor != pool.currentGeneration || now >= nextReturn { rebuild(at: now) }
        if let index = pick(tried) { return index }
        // Everybody whose turn could come was tried: whoever is left is better than nobody.
        for pass in [false, true] {
            for index in pool.servers.indices where pool.servers[index].isBackup == pass && !tried.contains(index) {
                return index
            }
        }
        return nil
    }

    private func pick(_ tried: TriedServers) -> Int? {
        guard !order.isEmpty else { return nil }
        let start = Int(pool.nextTurn() % UInt64(order.count))
        guard tried.count > 0 else { return Int(order[start]) }
        for step in 0..<order.count {
            let index = Int(order[(start + step) % order.count])
            if !tried.contains(index) { return index }
        }
        return nil
    }

    /// Primary servers that can be used; else backup servers that can; else, since nothing is known to work, all primaries.
    private mutating func rebuild(at now: UInt64) {
        builtFor = pool.currentGeneration
        nextReturn = .max
        for server in pool.servers where !server.isUsable(at: now) { nextReturn = min(nextReturn, server.resting) }
        for wanted in [false, true] {
            let weights = pool.servers.map { $0.isBackup == wanted && $0.isUsable(at: now) ? $0.weight : 0 }
            order = Rotation(weights: weights).order
            if !order.isEmpty { return }
        }
        order = Rotation(weights: pool.servers.map { $0.isBackup ? 0 : $0.weight }).order
        if order.isEmpty { order = Rotation(weights: pool.servers.map(\.weight)).order }
    }
}
