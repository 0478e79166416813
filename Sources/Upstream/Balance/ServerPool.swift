// SPDX-License-Identifier: Apache-2.0
// The servers of one pool, shared by the loops. What is known of them changes rarely (a server dies, is taken out, comes):
// then a new `Members` is published and the generation counted on, which is all that a request looks at.

import Bytes
import Engine
public import Settings
import Synchronization

/// Servers that may answer the same requests. Shared by the loops.
public final class ServerPool: Sendable {
    /// The pool's name in the configuration.
    public let name: String
    /// How its servers are looked after.
    public let settings: Configuration.PoolSettings
    /// How servers are chosen.
    public let balance: BalanceMethod
    /// The cookie by which a client comes back to its server, or nil for none.
    public let sticky: StickyCookie?
    /// Whether the request has a say in which server is chosen.
    public let readsRequests: Bool
    /// Who waits for a connection to one of its servers.
    let waiting = WaitingLoops()
    private let report: @Sendable (String) -> Void
    private let tables = Lock(HashTable())
    private let cursor = Atomic<UInt64>(0)
    private let changes = Atomic<Int>(1)
    private let state: Lock<State>

    private struct State {
        var health: PoolHealth
        var members: Members
        var observers: [Observer] = []
    }

    private struct Observer {
        let isAlive: @Sendable () -> Bool
        let changed: @Sendable () -> Void
    }

    /// A pool of at most 65 535 servers.
    ///
    /// - Parameters:
    ///   - now: monotonic milliseconds.
    ///   - report: told in a sentence what happens to its servers; called from any thread.
    public init(
        name: String, servers: [UpstreamServer], settings: Configuration.PoolSettings = .init(), at now: UInt64 = 0,
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        precondition(servers.count <= Int(UInt16.max), "a pool has at most 65 535 servers")
        self.name = name
        self.settings = settings
        self.report = report
        balance = BalanceMethod(settings.balance)
        sticky = StickyCookie(settings.balance)
        readsRequests = balance.hashInput != nil || sticky != nil
        let health = PoolHealth(servers, settings, at: now)
        state = Lock(State(health: health, members: health.members(at: now)))
    }

    // MARK: What a loop asks

    func nextTurn() -> UInt64 { cursor.add(1, ordering: .relaxed).oldValue }

    /// Counts changes of the members or of what is known of them.
    public var generation: Int { changes.load(ordering: .acquiring) }

    /// The members now, and the generation they belong to. Takes a lock: to be asked when the generation has changed.
    public var present: (members: Members, generation: Int) {
        state.withLock { ($0.members, changes.load(ordering: .relaxed)) }
    }

    /// The servers now.
    public var servers: [UpstreamServer] { present.members.list.map(\.server) }

    /// Which of `members` a key belongs to. Made once for all loops, and again only when those whose turn it may be, or their
    /// weights, have changed.
    func table(for members: Members) -> Maglev { tables.withLock { $0.table(for: members) } }

    /// Calls `changed` after every change, from any thread and without a lock held, as long as `isAlive`.
    func observe(isAlive: @escaping @Sendable () -> Bool, changed: @escaping @Sendable () -> Void) {
        state.withLock { $0.observers.append(Observer(isAlive: isAlive, changed: changed)) }
    }

    // MARK: What happens to a server

    /// Connecting to `server` failed. `isCertain`: it, or the way to it, has said so; not that nothing was heard in time.
    func connectFailed(_ server: UpstreamServer, isCertain: Bool = true, at now: UInt64) {
        update(at: now) { $0.connectFailed(server, isCertain: isCertain, at: now) }
    }

    /// A request failed on `server`. Once it fails too often, it is taken out for a while.
    ///
    /// - Parameters:
    ///   - reason: in words that follow "the last: ".
    ///   - atLeast: how long the server asked to be left alone (`Retry-After`), in milliseconds.
    func requestFailed(_ server: UpstreamServer, _ reason: String, atLeast: UInt64 = 0, at now: UInt64) {
        server.countFailure()
        update(at: now) { $0.requestFailed(server, reason, atLeast: atLeast, at: now) }
    }

    /// What mere time changes.
    func timePassed(_ now: UInt64) { update(at: now) { $0.timePassed(now) } }

    // MARK: Health checks

    /// When the next one is due, or `UInt64.max`.
    var nextCheck: UInt64 { state.withLock { $0.health.nextCheck } }

    /// The servers that are to be asked now; each is to be answered for by `checked`.
    func beginChecks(at now: UInt64) -> [UpstreamServer] { state.withLock { $0.health.beginChecks(at: now) } }

    /// What came of a check.
    func checked(_ server: UpstreamServer, _ outcome: CheckOutcome, at now: UInt64) {
        update(at: now) { $0.checked(server, outcome, at: now, chance: .random(in: 0 ... .max)) }
    }

    // MARK: What operators and discovery do. `now` is monotonic milliseconds.

    /// Adds a server, unless it is here already; it starts slowly.
    public func add(_ server: UpstreamServer, at now: UInt64) { update(at: now) { $0.add(server, at: now) } }

    /// Takes a server out for good: its running requests end, its idle connections close.
    public func remove(_ server: UpstreamServer, at now: UInt64) { update(at: now) { $0.remove(server) } }

    /// Sends no new requests to a server.
    public func drain(_ server: UpstreamServer, at now: UInt64) {
        update(at: now) { $0.setDraining(true, server, at: now) }
    }

    /// Takes `drain` back.
    public func undrain(_ server: UpstreamServer, at now: UInt64) {
        update(at: now) { $0.setDraining(false, server, at: now) }
    }

    /// Gives a server another share of the requests, 0 to 256.
    public func setWeight(_ weight: Int, of server: UpstreamServer, at now: UInt64) {
        update(at: now) { $0.setWeight(max(0, min(weight, 256)), server, at: now) }
    }

    /// What is known of every server.
    public func describe() -> [ServerDescription] {
        state.withLock { state in
            zip(state.health.entries, state.members.list).map { ServerDescription($0, tenths: $1.tenths) }
        }
    }

    // MARK: Publishing

    /// Edits what is known, and publishes what comes of it, if anything. Loops notice when they choose next, and are told at
    /// once, since they may have something to take away from a server.
    private func update(at now: UInt64, _ edit: (inout PoolHealth) -> Void) {
        let (events, observers) = state.withLock { state -> ([PoolEvent], [Observer]) in
            edit(&state.health)
            let former = state.members
            state.members = state.health.members(at: now)
            let events = state.health.takeEvents(state.members)
            guard !state.members.isSame(as: former) else { return (events, []) }
            changes.add(1, ordering: .releasing)
            state.observers.removeAll { !$0.isAlive() }
            return (events, state.observers)
        }
        for event in events { report("pool \(name): \(event.text)") }
        for observer in observers { observer.changed() }
    }
}

/// What is known of a server, for people.
public struct ServerDescription: Sendable {
    /// As configured: `host:port`.
    public let authority: String
    /// The addresses that it is reached at.
    public let addresses: [String]
    /// Its number in this process.
    public let identity: UInt32
    /// Used only while no other can be.
    public let isBackup: Bool
    /// Its share of the requests.
    public let weight: Int
    /// Tenths of that share that it takes now.
    public let tenths: Int
    /// What may be asked of it.
    public let state: ServerState
    /// Since when (monotonic milliseconds).
    public let since: UInt64
    /// What came of the last health check, in words; nil before the first.
    public let lastCheck: String?
    /// Requests on it now.
    public let inFlight: Int
    /// Connections of all loops, idle ones included.
    public let connections: Int
    /// Those that idle.
    public let idle: Int
    /// Requests sent to it.
    public let picked: Int
    /// Requests that it answered.
    public let succeeded: Int
    /// Requests that failed.
    public let failures: Int
    /// How often it was taken out because requests failed.
    public let ejections: Int

    init(_ entry: PoolHealth.Entry, tenths: Int) {
        let server = entry.server
        authority = server.authority
        addresses = server.addresses.map(\.description)
        identity = server.identity
        isBackup = server.isBackup
        weight = entry.weight
        self.tenths = tenths
        state = entry.state
        since = entry.since
        lastCheck = entry.lastCheck?.words
        connections = server.connectionCount
        idle = server.idleCount
        inFlight = server.inFlight
        picked = server.picked
        succeeded = server.succeeded
        failures = server.failures
        ejections = entry.ejection.count
    }
}
