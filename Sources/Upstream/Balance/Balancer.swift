// SPDX-License-Identifier: Apache-2.0
// Who is asked next. The counter is shared by all loops, so round robin is even over the whole process, not only within
// each loop; the cycle that it walks is each loop's own copy, made anew when the pool's generation has changed.

public import Engine

/// One loop's choice of servers: pure, over `Members`.
public struct Balancer {
    /// The pool it balances over.
    public let pool: ServerPool
    /// Its members when `refresh` was called last.
    public private(set) var members: Members
    private var order: [UInt16] = []
    /// Where the pool hashes: the server of every key.
    private var table = Maglev(names: [], weights: [])
    /// Weights of those whose turn it may be, together.
    private var weights = 0
    private var random = LoopRandom()
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

    /// What choosing came to.
    public enum Choice: Equatable, Sendable {
        /// The server with this index in `members.list`.
        case server(Int)
        /// There are servers that may be asked, and none has room for this request now.
        case busy(Room)
        /// Every server that can be asked has been.
        case nobody
    }

    /// The server whose turn it is, passing over those that were tried and those that have no room for this request.
    ///
    /// - Parameters:
    ///   - key: The hash of what decides, where the pool hashes; nil when the request does not have it.
    ///   - claim: What the request asks of a server, and so what counts as room.
    public mutating func choose(
        tried: TriedServers, key: UInt64? = nil, claim: PlaceClaim
    ) -> Choice {
        if let index = pick(tried, key, claim) { return .server(index) }
        var hasFull = false
        var hasHeldBack = false
        func isOpen(_ member: Members.Member) -> Bool {
            guard !tried.contains(member.server) else { return false }
            switch claim.room(at: member.server) {
            case .free: return true
            case .full: hasFull = true
            case .overShare: hasHeldBack = true
            }
            return false
        }
        // Those whose turn it may be have no room, or were tried: a backup server is better than nobody.
        for index in members.list.indices {
            let member = members.list[index]
            if member.weight > 0, member.state.isUsable, isOpen(member) { return .server(index) }
        }
        if members.isPanicking {
            for index in members.eligible where isOpen(members.list[index]) { return .server(index) }
        }
        if hasHeldBack { return .busy(.overShare) }
        if hasFull { return .busy(.full) }
        // All of them were tried: whoever is left and answers is better than nobody.
        guard tried.count > 0 else { return .nobody }
        for isBackup in [false, true] {
            for index in members.list.indices {
                let member = members.list[index]
                guard member.server.isBackup == isBackup, member.weight > 0, member.state.isLastResort else { continue }
                if isOpen(member) { return .server(index) }
            }
        }
        return hasHeldBack ? .busy(.overShare) : hasFull ? .busy(.full) : .nobody
    }

    private mutating func pick(_ tried: TriedServers, _ key: UInt64?, _ claim: PlaceClaim) -> Int? {
        switch pool.balance {
        case .roundRobin: turn(tried, claim)
        case .leastConnections: leastLoaded(tried, claim)
        case .powerOfTwo: betterOfTwo(tried, claim)
        case .hash: key.flatMap { owner(of: $0, tried, claim) } ?? leastLoaded(tried, claim)
        }
    }

    /// Whether the server with this index has not been tried and has room.
    private func isOpen(_ index: Int, _ tried: TriedServers, _ claim: PlaceClaim) -> Bool {
        let server = members.list[index].server
        return !tried.contains(server) && claim.room(at: server) == .free
    }

    /// Smooth weighted round robin.
    private func turn(_ tried: TriedServers, _ claim: PlaceClaim) -> Int? {
        guard !order.isEmpty else { return nil }
        let start = Int(pool.nextTurn() % UInt64(order.count))
        let first = Int(order[start])
        if isOpen(first, tried, claim) { return first }
        // The order may be much longer than the list of servers, so it is not walked for nothing.
        guard members.eligible.contains(where: { isOpen($0, tried, claim) }) else { return nil }
        for step in 1..<max(1, order.count) {
            let index = Int(order[(start + step) % order.count])
            if isOpen(index, tried, claim) { return index }
        }
        return nil
    }

    /// The least loaded for its weight; among equals, whose turn it is.
    private func leastLoaded(_ tried: TriedServers, _ claim: PlaceClaim) -> Int? {
        var best: (index: Int, load: Int, weight: Int)?
        for index in members.eligible {
            let member = members.list[index]
            guard isOpen(index, tried, claim) else { continue }
            let load = member.server.inFlight
            let weight = member.weight * member.tenths
            if let other = best, !LeastLoad.isLess(load, weight: weight, than: other.load, weight: other.weight) {
                continue
            }
            best = (index, load, weight)
        }
        guard let best, !order.isEmpty else { return best?.index }
        let start = Int(pool.nextTurn() % UInt64(order.count))
        for step in 0..<order.count {
            let index = Int(order[(start + step) % order.count])
            let member = members.list[index]
            guard isOpen(index, tried, claim) else { continue }
            // Loads change meanwhile, so that not even the best may be found again.
            let isWorse = LeastLoad.isLess(
                best.load, weight: best.weight, than: member.server.inFlight, weight: member.weight * member.tenths)
            if !isWorse { return index }
        }
        return best.index
    }

    /// The less loaded of two that chance picks by weight (Mitzenmacher: "The Power of Two Choices in Randomized Load
    /// Balancing", 2001): nearly as even as the least loaded of all, at the cost of two looks.
    private mutating func betterOfTwo(_ tried: TriedServers, _ claim: PlaceClaim) -> Int? {
        guard order.count > 1 else { return turn(tried, claim) }
        let (first, second) = random.pair(below: order.count)
        let (one, other) = (Int(order[first]), Int(order[second]))
        let (a, b) = (members.list[one], members.list[other])
        let isOther = LeastLoad.isLess(
            b.server.inFlight, weight: b.weight * b.tenths, than: a.server.inFlight, weight: a.weight * a.tenths)
        let index = isOther ? other : one
        return isOpen(index, tried, claim) ? index : turn(tried, claim)
    }

    /// The server that a key belongs to, unless it has more than its share of the load.
    private func owner(of key: UInt64, _ tried: TriedServers, _ claim: PlaceClaim) -> Int? {
        var total = -1
        return table.pick(key) { index in
            let member = members.list[index]
            guard isOpen(index, tried, claim) else { return false }
            let load = member.server.inFlight
            if load == 0 { return true }
            if total < 0 { total = members.eligible.reduce(1) { $0 + members.list[$1].server.inFlight } }
            return load < BoundedLoad.limit(total: total, weight: member.weight, weights: weights)
        }
    }

    private mutating func rebuild() {
        if pool.balance.hashInput != nil {
            table = pool.table(for: members)
            self.weights = members.eligible.reduce(0) { $0 + members.list[$1].weight }
        }
        var weights = [Int](repeating: 0, count: members.list.count)
        for index in members.eligible {
            weights[index] = members.list[index].weight * members.list[index].tenths
        }
        order = Rotation(weights: weights).order
    }
}
