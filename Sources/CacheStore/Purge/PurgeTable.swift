// SPDX-License-Identifier: Apache-2.0
// Purging takes constant time: it gives the purged scope a new generation. Every object remembers the generation in which its
// download began, and when it is opened, whether one of its scopes has had a later one since. Pure.

/// The generations of purged scopes.
struct PurgeTable {
    /// How many scopes are remembered. Beyond, the hosts with the most of them are purged whole; if that does not help, because
    /// each host has one, the oldest are forgotten, and everything that is as old as their purge counts as purged: too much, never
    /// too little.
    static let limit = 4096

    private struct Purged {
        var generation: UInt64
        /// The host that the scope is a part of; nil for a host, for a tag, and for what was read from a file.
        var host: CacheScope?
    }
    private var purged: [CacheScope: Purged] = [:]
    /// Objects of an earlier generation than this are purged, whatever their scopes.
    private(set) var floor: UInt64 = 0
    /// The latest generation.
    private(set) var latest: UInt64 = 0
    /// That of the latest purge of a tag, by this process.
    private(set) var latestTag: UInt64 = 0

    /// Begins a generation: what is stored from now on has at least this one.
    mutating func begin(now: UInt64) -> UInt64 {
        latest = max(latest + 1, now)
        return latest
    }

    /// Purges a scope, or everything: what is stored from now on has a generation of at least what this returns. `host`: the one
    /// that the scope is a part of.
    mutating func purge(_ scope: CacheScope?, in host: CacheScope? = nil, now: UInt64) -> UInt64 {
        let generation = begin(now: now)
        apply(scope, in: host, generation)
        return generation
    }

    /// Does again what `purge` did when it returned `generation`. True when others had to give way.
    @discardableResult mutating func apply(
        _ scope: CacheScope?, in host: CacheScope? = nil, _ generation: UInt64
    ) -> Bool {
        latest = max(latest, generation)
        guard let scope else {
            raiseFloor(to: generation)
            return false
        }
        if scope.isTag { latestTag = max(latestTag, generation) }
        note(scope, in: host, generation)
        guard purged.count > Self.limit else { return false }
        makeRoom()
        return true
    }

    private mutating func note(_ scope: CacheScope, in host: CacheScope?, _ generation: UInt64) {
        let known = purged[scope]
        purged[scope] = Purged(
            generation: max(known?.generation ?? 0, generation), host: host == scope ? nil : host ?? known?.host)
    }

    private mutating func raiseFloor(to generation: UInt64) {
        floor = max(floor, generation)
        purged = purged.filter { $0.value.generation > floor }
    }

    /// Makes a quarter of the places free.
    private mutating func makeRoom() {
        var hosts: [CacheScope: [CacheScope]] = [:]
        for (scope, entry) in purged { if let host = entry.host { hosts[host, default: []].append(scope) } }
        let wanted = Self.limit - Self.limit / 4
        for (host, scopes) in hosts.sorted(by: { $0.value.count > $1.value.count }) {
            guard purged.count > wanted, scopes.count > 1 else { break }
            var generation: UInt64 = 0
            for scope in scopes { generation = max(generation, purged.removeValue(forKey: scope)?.generation ?? 0) }
            note(host, in: nil, generation)
        }
        guard purged.count > Self.limit else { return }
        let sorted = purged.values.map(\.generation).sorted()
        raiseFloor(to: sorted[sorted.count / 4])
    }

    /// Whether an object with these scopes was purged since `generation`.
    func isPurged(_ generation: UInt64, scopes: Int, _ scope: (Int) -> CacheScope) -> Bool {
        if generation >= latest { return false }
        if generation < floor { return true }
        if purged.isEmpty { return false }
        for index in 0..<scopes {
            if let entry = purged[scope(index)], entry.generation > generation { return true }
        }
        return false
    }

    /// All there is to remember.
    var entries: [(scope: CacheScope?, generation: UInt64)] {
        [(nil, floor)]
            + purged.sorted { $0.value.generation < $1.value.generation }.map { ($0.key, $0.value.generation) }
    }
}
