// SPDX-License-Identifier: Apache-2.0
// The servers of one pool, shared by the loops. What is known of them changes rarely (a server dies, is taken out, comes):
// then a new `Members` is published and the generation counted on, which is all that a request looks at.

import Settings
import Synchronization

/// Servers that may answer the same requests. Shared by the loops.
public final class ServerPool: Sendable {
    /// The pool's name in the configuration.
    public let name: String
    let report: @Sendable (String) -> Void
    /// How servers are chosen.
    public let balance: BalanceMethod
    /// The cookie by which a client comes back to its server, or nil for none.
    public let sticky: StickyCookie?
    private let tables = Mutex(HashTable())
    private let cursor = Atomic<UInt64>(0)
    private let changes = Atomic<Int>(1)
    private let state: Mutex<State>

    private struct State {
        var entries: [Entry]
        var members: Members
        var views: [WeakView] = []
    }

    /// What is known of one server.
    private struct Entry {
        let server: UpstreamServer
        var weight: Int
        var isDraining = false
        /// Until when it is passed over, because it refused connections; 0 when it is not.
        var restsUntil: UInt64 = 0

        var state: ServerState {
            if isDraining { return .draining }
            return restsUntil > 0 ? .unreachable : .up
        }
    }

    private struct WeakView { weak var view: PoolView? }

    /// A pool of at most 65 535 servers.
    ///
    /// - Parameter report: Told in a sentence what happens to its servers; called from any thread.
    public init(
        name: String, servers: [UpstreamServer], balance: BalanceMethod = .roundRobin, sticky: StickyCookie? = nil,
        report: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        precondition(servers.count <= Int(UInt16.max), "a pool has at most 65 535 servers")
        self.name = name
        self.report = report
        self.balance = balance
        self.sticky = sticky
        let entries = servers.map { Entry(server: $0, weight: $0.weight) }
        state = Mutex(State(entries: entries, members: Self.members(of: entries)))
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

    func watch(_ view: PoolView) {
        state.withLock {
            $0.views.removeAll { $0.view == nil }
            $0.views.append(WeakView(view: view))
        }
    }

    // MARK: What happens to a server

    /// Connecting to `server` failed.
    func connectFailed(_ server: UpstreamServer, at now: UInt64) {
        change(server) { $0.restsUntil = now + UpstreamServer.rest }
    }

    /// Connecting to `server` succeeded.
    func connectSucceeded(_ server: UpstreamServer) {
        guard server.isTrouble else { return }
        change(server) { $0.restsUntil = 0 }
    }

    /// What mere time changes.
    func timePassed(_ now: UInt64) {
        update { entries in
            for index in entries.indices where entries[index].restsUntil <= now { entries[index].restsUntil = 0 }
        }
    }

    // MARK: What operators and discovery do

    /// Adds a server, unless it is here already.
    public func add(_ server: UpstreamServer) {
        update { entries in
            guard !entries.contains(where: { $0.server === server }), entries.count < Int(UInt16.max) else { return }
            entries.append(Entry(server: server, weight: server.weight))
        }
    }

    /// Takes a server out for good: its running requests end, its idle connections close.
    public func remove(_ server: UpstreamServer) { update { $0.removeAll { $0.server === server } } }

    /// Sends no new requests to a server.
    public func drain(_ server: UpstreamServer) { change(server) { $0.isDraining = true } }

    /// Takes `drain` back.
    public func undrain(_ server: UpstreamServer) { change(server) { $0.isDraining = false } }

    /// Gives a server another share of the requests, 0 to 256.
    public func setWeight(_ weight: Int, of server: UpstreamServer) {
        change(server) { $0.weight = max(0, min(weight, 256)) }
    }

    // MARK: Publishing

    private func change(_ server: UpstreamServer, _ edit: (inout Entry) -> Void) {
        update { entries in
            guard let index = entries.firstIndex(where: { $0.server === server }) else { return }
            edit(&entries[index])
        }
    }

    /// Edits what is known, and publishes what comes of it. Loops notice when they choose next; those that have something to
    /// take away from a server are told at once.
    private func update(_ edit: (inout [Entry]) -> Void) {
        let views = state.withLock { state in
            edit(&state.entries)
            state.members = Self.members(of: state.entries)
            changes.add(1, ordering: .releasing)
            for entry in state.entries { entry.server.setTrouble(entry.state.isTakenOut) }
            return state.views
        }
        for weak in views { weak.view?.poolChanged() }
    }

    private static func members(of entries: [Entry]) -> Members {
        let rests = entries.map(\.restsUntil).filter { $0 > 0 }
        return Members(
            entries.map { Members.Member($0.server, state: $0.state, weight: $0.weight) },
            nextChange: rests.min() ?? .max)
    }
}
