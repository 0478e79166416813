// SPDX-License-Identifier: Apache-2.0
public import Synchronization

/// What a store has done and holds. Counted by loops and disk threads alike.
public final class CacheCounters: Sendable {
    /// Lookups answered from memory, or by a file that was open.
    public let memoryHits = Atomic<Int>(0)
    /// Objects opened on disk.
    public let diskHits = Atomic<Int>(0)
    /// Lookups and openings that found nothing.
    public let misses = Atomic<Int>(0)
    /// Objects written.
    public let stores = Atomic<Int>(0)
    /// Objects removed to make room.
    public let evictions = Atomic<Int>(0)
    /// Files that were not as they were written, and were removed.
    public let corrupt = Atomic<Int>(0)
    /// System calls on the folder that failed.
    public let diskErrors = Atomic<Int>(0)
    /// Openings, readings and writings refused because too many waited for the disk, and what was not forgotten for that reason.
    public let refusals = Atomic<Int>(0)
    /// Readers of a download that was not stored who fell too far behind the fastest.
    public let fallenBehind = Atomic<Int>(0)
    /// Bytes on disk, counted in blocks; what is being written is included.
    public let diskBytes = Atomic<Int>(0)
    /// Objects that are known.
    public let objects = Atomic<Int>(0)

    init() {}
}

extension Atomic where Value == Int {
    /// Counts one more.
    func count() { add(1, ordering: .relaxed) }
}
