// SPDX-License-Identifier: Apache-2.0
// All that is known of a pool's servers, and what follows from it for the whole: pure, with the time and the chance passed in. Every
// change returns what the operator should be told; `ServerPool` locks it, publishes its `members` and tells.

import Settings

/// What happened to a server or to a pool.
enum PoolEvent: Sendable, Equatable {
    case checksFailed(UpstreamServer, CheckOutcome, inARow: Int)
    case connectFailed(UpstreamServer)
    case checksPassed(UpstreamServer, inARow: Int)
    case triedAgain(UpstreamServer)
    case ejected(UpstreamServer, EjectionMachine.Reason, last: String, milliseconds: UInt64)
    case keptForWantOfOthers(UpstreamServer, EjectionMachine.Reason, last: String)
    case letInAgain(UpstreamServer)
    case added(UpstreamServer), removed(UpstreamServer), draining(UpstreamServer), undrained(UpstreamServer)
    case weight(UpstreamServer, Int)
    /// The whole pool.
    case panicking, unreachable, well

    static func == (a: PoolEvent, b: PoolEvent) -> Bool { a.text == b.text }
}

/// The servers of a pool and their health.
struct PoolHealth: Sendable {
    /// What is known of one server.
    struct Entry: Sendable {
        let server: UpstreamServer
        var weight: Int
        var health: HealthMachine
        var ejection: EjectionMachine
        var slowStart: SlowStart?
        var isDraining = false
        /// Since when it is in its state (monotonic milliseconds).
        var since: UInt64
        var lastCheck: CheckOutcome?

        var state: ServerState {
            if isDraining { return .draining }
            switch health.condition {
            case .unreachable: return .unreachable
            case .failing: return .unhealthy
            case .healthy: break
            }
            if ejection.until != nil { return .ejected }
            return slowStart == nil ? .up : .starting
        }
    }

    private enum Mood { case well, panicking, unreachable }

    private let healthRules: HealthMachine.Rules
    private let ejectionRules: EjectionMachine.Rules
    private let slowStart: Int
    private(set) var entries: [Entry] = []
    private var mood = Mood.well
    /// What to tell, in the order in which it happened.
    private var events: [PoolEvent] = []

    init(_ servers: [UpstreamServer], _ settings: Configuration.PoolSettings, at now: UInt64) {
        let check = settings.check
        healthRules = .init(isOn: check.isOn, interval: check.interval, rise: check.rise, fall: check.fall)
        let ejection = settings.ejection
        ejectionRules = .init(
            failures: ejection.failures, rate: ejection.rate, time: UInt64(ejection.time),
            longest: UInt64(ejection.longest))
        slowStart = settings.slowStart
        entries = servers.map { entry($0, at: now) }
    }

    private func entry(_ server: UpstreamServer, at now: UInt64) -> Entry {
        Entry(
            server: server, weight: server.weight, health: HealthMachine(healthRules, at: now),
            ejection: EjectionMachine(ejectionRules), since: now)
    }

    // MARK: What is known now

    /// The members, as loops shall see them.
    func members(at now: UInt64) -> Members {
        var next = UInt64.max
        let list = entries.map { entry in
            next = min(next, entry.health.trialAt, entry.ejection.until ?? .max)
            if let step = entry.slowStart?.nextStep(at: now) { next = min(next, step) }
            return Members.Member(
                entry.server, state: entry.state, condition: entry.health.condition, weight: entry.weight,
                tenths: entry.slowStart?.tenths(at: now) ?? 10)
        }
        return Members(list, nextChange: next)
    }

    /// When the next check is due, or `UInt64.max`.
    var nextCheck: UInt64 { entries.map(\.health.nextCheck).min() ?? .max }

    /// What has happened since this was asked last.
    mutating func takeEvents(_ members: Members) -> [PoolEvent] {
        let now: Mood =
            members.isPanicking ? .panicking : members.eligible.isEmpty && !entries.isEmpty ? .unreachable : .well
        if now != mood {
            mood = now
            switch now {
            case .well: events.append(.well)
            case .panicking: events.append(.panicking)
            case .unreachable: events.append(.unreachable)
            }
        }
        defer { events.removeAll() }
        return events
    }

    // MARK: Checks

    /// The servers that are to be asked now.
    mutating func beginChecks(at now: UInt64) -> [UpstreamServer] {
        entries.indices.filter { entries[$0].health.beginCheck(at: now) }.map { entries[$0].server }
    }

    mutating func checked(_ server: UpstreamServer, _ outcome: CheckOutcome, at now: UInt64, chance: UInt16) {
        change(server, at: now) { entry, events in
            entry.lastCheck = outcome
            guard entry.health.checked(outcome, at: now, chance: chance) else { return }
            if outcome == .passed {
                events.append(.checksPassed(server, inARow: entry.health.inARow))
                entry.ejection.forgive()
            } else {
                events.append(.checksFailed(server, outcome, inARow: entry.health.inARow))
            }
        }
    }

    // MARK: Requests

    /// A request could not connect. When it only heard nothing in time, and no other server is left, that may be this machine's
    /// fault as well: then it is left to the checks.
    mutating func connectFailed(_ server: UpstreamServer, isCertain: Bool = true, at now: UInt64) {
        guard isCertain || hasAnother(than: server) else { return }
        change(server, at: now) { entry, events in
            if entry.health.connectFailed(at: now) { events.append(.connectFailed(server)) }
        }
    }

    /// A request failed on a server that could be connected to.
    ///
    /// - Parameters:
    ///   - reason: in words that follow "the last: ".
    ///   - atLeast: how long the server asked to be left alone, in milliseconds.
    mutating func requestFailed(_ server: UpstreamServer, _ reason: String, atLeast: UInt64, at now: UInt64) {
        let mayEject = mayEject(server)
        change(server, at: now) { entry, events in
            guard let why = entry.ejection.failed(at: now, successes: server.succeeded) else { return }
            guard entry.state.isUsable else { return }
            guard mayEject else {
                if server.mayReport(at: now) { events.append(.keptForWantOfOthers(server, why, last: reason)) }
                return
            }
            let span = entry.ejection.eject(at: now, atLeast: atLeast)
            events.append(.ejected(server, why, last: reason, milliseconds: span))
        }
    }

    /// Never more than half of those of its kind, and never the last one that can be used.
    private func mayEject(_ server: UpstreamServer) -> Bool {
        let kind = entries.filter { $0.server.isBackup == server.isBackup }
        let ejected = kind.count { $0.ejection.until != nil }
        return (ejected + 1) * 2 <= max(2, kind.count) && hasAnother(than: server)
    }

    private func hasAnother(than server: UpstreamServer) -> Bool {
        entries.contains { $0.server !== server && $0.state.isUsable && $0.weight > 0 }
    }

    // MARK: Time

    mutating func timePassed(_ now: UInt64) {
        for index in entries.indices {
            let server = entries[index].server
            change(server, at: now) { entry, events in
                if entry.health.timePassed(now) { events.append(.triedAgain(server)) }
                if entry.ejection.timePassed(now, successes: server.succeeded) { events.append(.letInAgain(server)) }
            }
        }
    }

    // MARK: The operator and discovery

    mutating func add(_ server: UpstreamServer, at now: UInt64) {
        guard !entries.contains(where: { $0.server === server }), entries.count < Int(UInt16.max) else { return }
        var new = entry(server, at: now)
        new.slowStart = SlowStart(at: now, duration: slowStart)
        entries.append(new)
        events.append(.added(server))
    }

    mutating func remove(_ server: UpstreamServer) {
        guard let index = entries.firstIndex(where: { $0.server === server }) else { return }
        entries.remove(at: index)
        events.append(.removed(server))
    }

    mutating func setDraining(_ isDraining: Bool, _ server: UpstreamServer, at now: UInt64) {
        change(server, at: now) { entry, events in
            guard entry.isDraining != isDraining else { return }
            entry.isDraining = isDraining
            events.append(isDraining ? .draining(server) : .undrained(server))
        }
    }

    mutating func setWeight(_ weight: Int, _ server: UpstreamServer, at now: UInt64) {
        change(server, at: now) { entry, events in
            guard entry.weight != weight else { return }
            entry.weight = weight
            events.append(.weight(server, weight))
        }
    }

    /// Edits one entry. Whoever becomes usable that was not, starts slowly.
    private mutating func change(
        _ server: UpstreamServer, at now: UInt64, _ edit: (inout Entry, inout [PoolEvent]) -> Void
    ) {
        guard let index = entries.firstIndex(where: { $0.server === server }) else { return }
        let former = entries[index].state
        edit(&entries[index], &events)
        if !entries[index].state.isUsable {
            entries[index].slowStart = nil
        } else if !former.isUsable {
            entries[index].slowStart = SlowStart(at: now, duration: slowStart)
        } else if entries[index].slowStart?.tenths(at: now) == 10 {
            entries[index].slowStart = nil
        }
        if entries[index].state != former { entries[index].since = now }
    }
}
