// SPDX-License-Identifier: Apache-2.0
// The token buckets of all clients. One process may see more addresses than it has memory for, and an attacker with an IPv6
// network has as many as he likes: so the table has a fixed size, IPv6 addresses count by their /64, and a client whose bucket
// is full again is simply not in it any more.
//
// No lock: an entry is two atomic words, the client's hash and the time at which its bucket is full. Two loops that take the
// same entry at once may give a client a token too many, never one too few for long.

import Bytes
import Engine
import Synchronization

/// Buckets of clients by address, shared by all loops.
///
/// `@unchecked Sendable` is safe because the memory that `entries` points to is only used through atomics, and lives as long
/// as the object.
///
/// `@safe` because every index into the memory is reduced by the number of entries.
@safe package final class ClientRates: @unchecked Sendable {
    /// Entries of the table.
    package static let size = 1 << 17
    /// Entries that one client's may be found in.
    static let ways = 8

    private let bucket: TokenBucket
    private let key: HashKey
    private let entries: UnsafeMutablePointer<Atomic<UInt64>>
    private let sets: UInt64

    /// - Parameters:
    ///   - bucket: What each client has.
    ///   - size: Clients that are kept count of; a power of 2.
    package init(_ bucket: TokenBucket, size: Int = ClientRates.size) {
        self.bucket = bucket
        var generator = SystemRandomNumberGenerator()
        key = HashKey(generator.next(), generator.next())
        sets = UInt64(max(1, size / Self.ways))
        let words = 2 * Self.ways * Int(sets)
        unsafe entries = .allocate(capacity: words)
        for index in 0..<words { unsafe (entries + index).initialize(to: Atomic(0)) }
    }

    deinit {
        let words = 2 * Self.ways * Int(sets)
        unsafe entries.deinitialize(count: words)
        unsafe entries.deallocate()
    }

    /// Takes a token of the client's bucket.
    ///
    /// - Parameter now: Monotonic nanoseconds.
    /// - Returns: 0 when the request may pass, else the nanoseconds until it might.
    func take(_ client: SocketAddress, at now: UInt64) -> UInt64 {
        let hash = key.hash(word: client.clientNetwork).low
        let mark = hash | 1
        let set = unsafe entries + Int((hash >> 32) % sets) * 2 * Self.ways
        let entry = unsafe set + 2 * place(of: mark, in: set)
        let time = unsafe entry + 1
        var seen = unsafe time.pointee.load(ordering: .relaxed)
        var full = seen
        if unsafe entry.pointee.load(ordering: .relaxed) != mark {
            // A newcomer's bucket is full, whatever its predecessor here left.
            unsafe entry.pointee.store(mark, ordering: .relaxed)
            full = 0
        }
        while true {
            switch bucket.take(full: full, at: now) {
            case .wait(let wait): return max(1, wait)
            case .pass(let next):
                let (isTaken, other) = unsafe time.pointee.compareExchange(
                    expected: seen, desired: next, ordering: .relaxed)
                if isTaken { return 0 }
                seen = other
                full = other
            }
        }
    }

    /// The client's entry, or else the one in its set that is worth least: whose bucket is full the longest, or the soonest.
    private func place(of mark: UInt64, in set: UnsafeMutablePointer<Atomic<UInt64>>) -> Int {
        var oldest = 0
        var oldestTime = UInt64.max
        for way in 0..<Self.ways {
            if unsafe set[2 * way].load(ordering: .relaxed) == mark { return way }
            let time = unsafe set[2 * way + 1].load(ordering: .relaxed)
            if time < oldestTime {
                oldest = way
                oldestTime = time
            }
        }
        return oldest
    }
}
