// SPDX-License-Identifier: Apache-2.0
// What an unsafe request makes invalid is removed, not remembered: an entry here lasts until a disk thread has removed what is
// stored for its URL. Anybody can make such entries, so whoever makes too many pays for it within their own hosts. Pure.

/// URLs whose stored responses are to be removed, and count as removed until they are.
struct InvalidationTable {
    /// How many may wait to be removed. Beyond, the hosts with the most of them are purged whole until three quarters are left;
    static let limit = 65_536
    /// those with one only beyond this: there is no more to it than to what is stored, but for the first moments after a start.
    static let lastLimit = 4 * limit

    struct Entry {
        /// The hash of the primary key; all its variants are meant.
        let key: CacheHash
        let host: CacheScope
        /// What is of an earlier one is invalid.
        var generation: UInt64
    }
    private var entries: [CacheScope: Entry] = [:]
    /// What no thread has been given yet.
    private var waiting: ContiguousArray<CacheScope> = []
    /// How many there may be before room is looked for again: looking takes long.
    private var roomLimit = Self.limit

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    /// What is stored for that URL, of an earlier generation than the entry's, is invalid. Returns the hosts that are to be purged
    /// whole instead of what was kept of them, each with its generation.
    mutating func insert(_ url: CacheScope, _ entry: Entry) -> [(host: CacheScope, generation: UInt64)] {
        entries[url] = entry
        waiting.append(url)
        guard entries.count > roomLimit || waiting.count > 2 * roomLimit else { return [] }
        defer { roomLimit = max(Self.limit, entries.count + Self.limit / 4) }
        return makeRoom()
    }

    private mutating func makeRoom() -> [(host: CacheScope, generation: UInt64)] {
        var hosts: [CacheScope: (urls: [CacheScope], generation: UInt64)] = [:]
        for (url, entry) in entries {
            hosts[entry.host, default: ([], 0)].urls.append(url)
            let latest = hosts[entry.host]?.generation ?? 0
            hosts[entry.host]?.generation = max(latest, entry.generation)
        }
        var given: [(CacheScope, UInt64)] = []
        for (host, its) in hosts.sorted(by: { $0.value.urls.count > $1.value.urls.count }) {
            guard entries.count > Self.limit - Self.limit / 4, its.urls.count > 1 || entries.count > Self.lastLimit
            else {
                break
            }
            for url in its.urls { entries[url] = nil }
            given.append((host, its.generation))
        }
        // Each once, and none that has given way.
        var seen: Set<CacheScope> = []
        waiting = waiting.filter { entries[$0] != nil && seen.insert($0).inserted }
        return given
    }

    /// Whether what is stored with that scope since `generation` is invalid.
    func isInvalid(_ scope: CacheScope, since generation: UInt64) -> Bool {
        entries[scope].map { $0.generation > generation } ?? false
    }

    /// All that are to be removed and that nobody has been given yet.
    mutating func take() -> [(url: CacheScope, entry: Entry)] {
        defer { (waiting, roomLimit) = ([], Self.limit) }
        var seen: Set<CacheScope> = []
        return waiting.compactMap { url in
            guard seen.insert(url).inserted else { return nil }
            return entries[url].map { (url, $0) }
        }
    }

    /// What was stored for that URL before `generation` is gone.
    mutating func remove(_ url: CacheScope, _ generation: UInt64) {
        if let entry = entries[url], entry.generation <= generation { entries[url] = nil }
    }

    /// Whether somebody is to `take`.
    var hasWaiting: Bool { !waiting.isEmpty }
}
