// SPDX-License-Identifier: Apache-2.0
// Purging takes constant time: it gives the purged scope a new generation. Every object remembers the generation in which its
// download began, and when it is opened, whether one of its scopes has had a later one since. Pure.

/// The generations of purged scopes.
struct PurgeTable {
    /// How many scopes are remembered. Beyond, the oldest are forgotten, and everything that is as old as their purge counts
    /// as purged: too much, never too little.
    static let limit = 4096

    private var generations: [CacheScope: UInt64] = [:]
    /// Objects of an earlier generation than this are purged, whatever their scopes.
    private(set) var floor: UInt64 = 0
    /// The latest generation.
    private(set) var latest: UInt64 = 0
    /// That of the latest purge of a tag, by this process.
    private(set) var latestTag: UInt64 = 0

    /// Purges a scope, or everything: what is stored from now on has a generation of at least what this returns.
    mutating func purge(_ scope: CacheScope?, now: UInt64) -> UInt64 {
        let generation = max(latest + 1, now)
        apply(scope, generation)
        return generation
    }

    /// Does again what `purge` did when it returned `generation`.
    mutating func apply(_ scope: CacheScope?, _ generation: UInt64) {
        latest = max(latest, generation)
        guard let scope else {
            floor = max(floor, generation)
            generations = generations.filter { $0.value > floor }
            return
        }
        if scope.isTag { latestTag = max(latestTag, generation) }
        generations[scope] = max(generations[scope] ?? 0, generation)
        guard generations.count > Self.limit else { return }
        let sorted = generations.values.sorted()
        floor = max(floor, sorted[sorted.count / 4])
        generations = generations.filter { $0.value > floor }
    }

    /// Whether an object with these scopes was purged since `generation`.
    func isPurged(_ generation: UInt64, scopes: Int, _ scope: (Int) -> CacheScope) -> Bool {
        if generation >= latest { return false }
        if generation < floor { return true }
        if generations.isEmpty { return false }
        for index in 0..<scopes {
            if let purged = generations[scope(index)], purged > generation { return true }
        }
        return false
    }

    /// All there is to remember.
    var entries: [(scope: CacheScope?, generation: UInt64)] {
        [(nil, floor)] + generations.sorted { $0.value < $1.value }.map { ($0.key, $0.value) }
    }
}
