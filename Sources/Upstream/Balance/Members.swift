// SPDX-License-Identifier: Apache-2.0
// Who belongs to a pool at one moment, and what is known of each: an immutable value that every loop copies when the pool's
// generation has changed. What may change of a server while requests run (counts of connections, failures) is in
// `UpstreamServer`.

/// What may be asked of a server.
public enum ServerState: String, Sendable, CaseIterable {
    /// It takes its whole share.
    case up
    /// It has just come, or come back, and takes a growing part of its share.
    case starting
    /// Requests failed on it: it is passed over for a while.
    case ejected
    /// It can be connected to, but its health checks fail.
    case unhealthy
    /// It cannot be connected to.
    case unreachable
    /// The operator, or discovery, takes it out: running requests end, new ones go elsewhere.
    case draining

    /// Requests may be sent to it without more ado.
    public var isUsable: Bool { self == .up || self == .starting }
    /// It answers, if badly: better than nobody.
    var isLastResort: Bool { self == .ejected || self == .unhealthy }
}

/// The servers of a pool at one moment.
public struct Members: Sendable {
    /// One of them.
    public struct Member: Sendable {
        /// The server itself, which outlives this value.
        public let server: UpstreamServer
        /// What may be asked of it.
        public let state: ServerState
        /// What its checks, and requests that could not connect, say of it: also while it drains, which `state` does not tell then.
        public let condition: HealthMachine.Condition
        /// 0 to 256: its share of the requests when it is up; 0 for none.
        public let weight: Int
        /// Tenths of its weight that it takes now: 10, or fewer while it is starting.
        public let tenths: Int

        /// What waits on it is better off elsewhere.
        var isTakenOut: Bool { state.isLastResort || condition != .healthy }

        func isSame(as other: Member) -> Bool {
            server === other.server && state == other.state && condition == other.condition && weight == other.weight
                && tenths == other.tenths
        }

        /// A member.
        public init(
            _ server: UpstreamServer, state: ServerState = .up, condition: HealthMachine.Condition = .healthy,
            weight: Int, tenths: Int = 10
        ) {
            self.server = server
            self.state = state
            self.condition = condition
            self.weight = weight
            self.tenths = tenths
        }
    }

    /// In the order of the configuration, those that came later behind.
    public let list: [Member]
    /// Indices of those whose turn it may be: usable servers; else usable backup servers; else, since nobody is known to be
    /// well, those that answer badly. Empty when none can even be connected to.
    public let eligible: [Int]
    /// `eligible` holds those that answer badly, for want of better.
    public let isPanicking: Bool
    /// When the next change by mere time is due (monotonic milliseconds), or `UInt64.max`.
    let nextChange: UInt64

    /// At most 65 535 servers.
    public init(_ list: [Member], nextChange: UInt64 = .max) {
        self.list = list
        self.nextChange = nextChange
        func indices(_ isWanted: (Member) -> Bool) -> [Int] {
            list.indices.filter { list[$0].weight > 0 && isWanted(list[$0]) }
        }
        for isBackup in [false, true] {
            let usable = indices { $0.server.isBackup == isBackup && $0.state.isUsable }
            guard usable.isEmpty else {
                eligible = usable
                isPanicking = false
                return
            }
        }
        for isBackup in [false, true] {
            let bad = indices { $0.server.isBackup == isBackup && $0.state.isLastResort }
            guard bad.isEmpty else {
                eligible = bad
                isPanicking = true
                return
            }
        }
        eligible = []
        isPanicking = false
    }
}

extension Members {
    /// Whether a client that is stuck to the server with this index may go there: while it can be used, or drains and is well.
    /// Backup servers keep nobody once others can be used.
    func keepsClients(_ index: Int) -> Bool {
        let member = list[index]
        if member.server.isBackup, !eligible.contains(index) { return false }
        return member.state.isUsable || (member.state == .draining && member.condition == .healthy)
    }

    /// Whether there is no difference that a loop would notice.
    func isSame(as other: Members) -> Bool {
        nextChange == other.nextChange && list.count == other.list.count
            && zip(list, other.list).allSatisfy { $0.isSame(as: $1) }
    }
}

/// The servers that one request has been sent to, at most `capacity`.
public struct TriedServers: Sendable {
    /// As many attempts as a request may have at most.
    public static let capacity = 8
    private var identities = InlineArray<8, UInt32>(repeating: 0)
    /// How many there are.
    public private(set) var count = 0

    /// None yet.
    public init() {}

    /// Remembers a server.
    public mutating func insert(_ server: UpstreamServer) {
        guard count < Self.capacity else { return }
        identities[count] = server.identity
        count += 1
    }

    /// Whether this server was tried.
    public func contains(_ server: UpstreamServer) -> Bool {
        for position in 0..<count where identities[position] == server.identity { return true }
        return false
    }
}
