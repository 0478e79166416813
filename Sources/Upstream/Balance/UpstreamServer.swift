// SPDX-License-Identifier: Apache-2.0
public import Engine
public import Settings
import Synchronization

/// One upstream server as all loops see it: its addresses, and what is known of its health.
///
/// Shared by the loops; everything that changes is atomic.
public final class UpstreamServer: Sendable {
    /// Its number in this process, never given to another.
    public let identity: UInt32
    /// `host:port` as configured.
    public let authority: String
    /// The same as bytes, for the log.
    public let authorityBytes: [UInt8]
    /// Its addresses in the order of preference. Never empty.
    public let addresses: [SocketAddress]
    /// Nil where it is reached in the clear.
    public let security: ServerSecurity?
    /// 1 to 256: its share of the requests.
    public let weight: Int
    /// Used only while no other server of its pool can be.
    public let isBackup: Bool
    private let pickedInAll = Atomic<Int>(0)
    private let succeededInAll = Atomic<Int>(0)
    private let failedInAll = Atomic<Int>(0)
    /// When trouble with it was reported last (monotonic milliseconds), or 0.
    private let reported = Atomic<UInt64>(0)
    /// Connections in use in the upper half, idle ones in the lower, so that what passes from one to the other is one change.
    private let connections = Atomic<Int>(0)
    private static let oneInUse = 1 << 32
    /// Connections that have become tunnels; they have left `connections`.
    private let tunnelled = Atomic<Int>(0)
    /// Who has the connections in use.
    let places = ClientCounts()
    /// Who has the tunnels.
    let tunnels = ClientCounts()
    private let allowanceMilliseconds = Atomic<Int>(.max)
    private let allowanceClosed = Atomic<UInt64>(0)
    /// The address that accepted last; the others are tried when it fails.
    private let preferred = Atomic<Int>(0)

    /// Trouble that repeats itself is reported no oftener than this, in milliseconds; the access log has every case.
    static let reportPause: UInt64 = 10_000

    /// A server with its resolved addresses.
    public init(_ settings: Configuration.Server, addresses: [SocketAddress], security: ServerSecurity? = nil) {
        precondition(!addresses.isEmpty, "a server has an address")
        identity = Self.identities.add(1, ordering: .relaxed).newValue
        authority = settings.authority
        authorityBytes = Array(settings.authority.utf8)
        self.addresses = addresses
        self.security = security
        weight = settings.weight
        isBackup = settings.isBackup
    }

    private static let identities = Atomic<UInt32>(0)

    /// How sentences call it: as configured and, where that is a name, with the address.
    var name: String {
        let first = addresses[0].description
        let scheme = security == nil ? "http" : "https"
        return first == authority ? "\(scheme)://\(authority)" : "\(scheme)://\(authority) (\(first))"
    }

    func countPick() { pickedInAll.add(1, ordering: .relaxed) }
    func countSuccess() { succeededInAll.add(1, ordering: .relaxed) }
    func countFailure() { failedInAll.add(1, ordering: .relaxed) }
    /// Requests sent to it.
    var picked: Int { pickedInAll.load(ordering: .relaxed) }
    /// Requests that it answered.
    var succeeded: Int { succeededInAll.load(ordering: .relaxed) }
    /// Requests that failed.
    var failures: Int { failedInAll.load(ordering: .relaxed) }

    /// Whether to report trouble with it now: the first time, and after every `reportPause`.
    func mayReport(at now: UInt64) -> Bool {
        let last = reported.load(ordering: .relaxed)
        guard last == 0 || now >= last + Self.reportPause else { return false }
        return reported.compareExchange(expected: last, desired: max(now, 1), ordering: .relaxed).exchanged
    }

    /// Index of the address to try first.
    var preferredAddress: Int { preferred.load(ordering: .relaxed) }
    func prefer(address index: Int) { preferred.store(index, ordering: .relaxed) }

    /// Counts a new connection, unless `limit` are in use already. Idle ones of other loops do not stand in the way: they close
    /// by themselves within seconds.
    func takeConnection(limit: Int) -> Bool { use(Self.oneInUse, limit: limit) }

    /// Counts an idle connection as one in use, unless `limit` are already.
    func reuseConnection(limit: Int) -> Bool { use(Self.oneInUse - 1, limit: limit) }

    private func use(_ change: Int, limit: Int) -> Bool {
        var now = connections.load(ordering: .relaxed)
        while now >> 32 < limit {
            let (exchanged, original) = connections.weakCompareExchange(
                expected: now, desired: now &+ change, ordering: .relaxed)
            if exchanged { return true }
            now = original
        }
        return false
    }

    func giveConnection(wasIdle: Bool) { connections.subtract(wasIdle ? 1 : Self.oneInUse, ordering: .relaxed) }

    /// Counts a connection in use as a tunnel, unless there are `limit` already.
    func becomeTunnel(limit: Int) -> Bool {
        guard tunnelled.add(1, ordering: .relaxed).newValue <= limit else {
            tunnelled.subtract(1, ordering: .relaxed)
            return false
        }
        connections.subtract(Self.oneInUse, ordering: .relaxed)
        return true
    }

    func giveTunnel() { tunnelled.subtract(1, ordering: .relaxed) }

    func enterIdle() { connections.subtract(Self.oneInUse - 1, ordering: .relaxed) }

    /// How long connections to it may idle, in milliseconds, as it has shown.
    func idleAllowance(at now: UInt64) -> Int { allowance.limit(at: now) }

    /// It closed a connection that had idled so long.
    func closedIdle(after milliseconds: Int, at now: UInt64) {
        // Two loops that do this at once may lose one of two lessons.
        var new = allowance
        new.closedIdle(after: milliseconds, at: now)
        allowanceMilliseconds.store(new.milliseconds, ordering: .relaxed)
        allowanceClosed.store(new.closed, ordering: .relaxed)
    }

    private var allowance: IdleAllowance {
        IdleAllowance(
            milliseconds: allowanceMilliseconds.load(ordering: .relaxed),
            closed: allowanceClosed.load(ordering: .relaxed))
    }

    /// Connections that idle, of all loops.
    var idleCount: Int { connections.load(ordering: .relaxed) & (Self.oneInUse - 1) }
    /// Connections in use, tunnels not counted: what the limit of connections is about.
    var placesInUse: Int { connections.load(ordering: .relaxed) >> 32 }
    /// Connections that have become tunnels.
    var tunnelCount: Int { tunnelled.load(ordering: .relaxed) }
    /// Requests on it now, tunnels included: a connection that does not idle has one.
    public var inFlight: Int { placesInUse + tunnelCount }
    /// What it is known by wherever it stands in a list, in every process: the first of its addresses as text.
    var hashName: [UInt8] { Array((addresses.map(\.description).min() ?? authority).utf8) }
    /// Connections of all loops, idle ones included, those of health checks not.
    public var connectionCount: Int { idleCount + inFlight }
}
