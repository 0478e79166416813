// SPDX-License-Identifier: Apache-2.0
// Who is asked next. The counter is shared by all loops, so round robin is even over the whole process, not only within
// each loop; the cycle that it walks is each loop's own copy, made anew when the pool's generation has changed.

/// One loop's choice of servers: pure, over `Members`.
public struct Balancer {
    /// The pool it balances over.
    public let pool: ServerPool
    /// Its members when `refresh` was called last.
    public private(set) var members: Members
    private var order: [UInt16] = []
    private var builtFor: Int

    /// A choice among the present members of `pool`.
    public init(_ pool: ServerPool) {
        self.pool = pool
        (members, builtFor) = pool.present
        rebuild()
    }

    /// Whether the pool has changed since, or a change by mere time is due.
    public func isStale(at now: UInt64) -> Bool { builtFor != pool.generation || now >= members.nextChange }

    /// Takes the pool's present members.
    ///
    /// - Parameter now: monotonic milliseconds.
    public mutating func refresh(at now: UInt64) {
        if now >= members.nextChange { pool.timePassed(now) }
        (members, builtFor) = pool.present
        rebuild()
    }

    /// Index (in `members.list`) of the server whose turn it is, passing over those that were tried. Nil when every server that
    /// can be asked has been.
    public func next(tried: TriedServers) -> Int? {
        if let index = pick(tried) { return index }
        // Everybody whose turn could come was tried: whoever is left and answers is better than nobody.
        guard tried.count > 0 else { return nil }
        for isBackup in [false, true] {
            for index in members.list.indices {
                let member = members.list[index]
                guard member.server.isBackup == isBackup, member.weight > 0 else { continue }
                if member.state.isUsable || member.state.isLastResort, !tried.contains(member.server) { return index }
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
            if !tried.contains(members.list[index].server) { return index }
        }
        return nil
    }

    private mutating func rebuild() {
        var weights = [Int](repeating: 0, count: members.list.count)
        for index in members.eligible {
            weights[index] = members.list[index].weight * members.list[index].tenths
        }
        order = Rotation(weights: weights).order
    }
}
