// SPDX-License-Identifier: Apache-2.0
// A hashed wheel of deadlines, one for each slot of a loop: pure, with the time passed in.
//
// Deadlines are pushed back far more often than they are reached (every request moves its connection's), so moving one
// later is a single store: the slot stays in its old bucket, and when that comes round, the wheel sees the later time and
// files the slot anew. Only a deadline that moves earlier is refiled at once. Buckets are doubly linked lists over arrays
// of slot numbers, so nothing is allocated except when the loop's table grows.

/// Deadlines in milliseconds on a clock of the caller's, for slots numbered from 0.
public struct DeadlineWheel: Sendable {
    /// Width of a bucket: how late a deadline may be noticed, in milliseconds.
    public static let resolution: UInt64 = 32
    private static let bucketCount = 1024
    private static let none: Int32 = -1

    /// The time a slot is due, or 0 for none.
    private var due: [UInt64] = []
    /// The tick that a slot is filed under, or 0 when it is not in the wheel.
    private var filed: [UInt64] = []
    /// Whether a slot was reported as due, and nothing has been said of it since.
    private var isReached: [Bool] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    private var heads = [Int32](repeating: none, count: bucketCount)
    /// The last tick whose bucket was emptied.
    private var tick: UInt64
    /// Slots that are filed.
    public private(set) var count = 0

    /// An empty wheel whose clock stands at `now`.
    public init(now: UInt64) { tick = now / Self.resolution }

    /// Makes room for slots below `count`.
    public mutating func reserve(slots count: Int) {
        while due.count < count {
            due.append(0)
            filed.append(0)
            isReached.append(false)
            next.append(Self.none)
            previous.append(Self.none)
        }
    }

    /// Sets or moves the deadline of `slot`.
    public mutating func set(_ slot: Int, at time: UInt64) {
        due[slot] = max(time, 1)
        isReached[slot] = false
        let wanted = bucketTick(time)
        if filed[slot] != 0 {
            guard wanted < filed[slot] else { return }
            unlink(slot)
        }
        link(slot, wanted)
    }

    /// Removes the deadline of `slot`. It stays filed until its bucket comes round, where it is dropped.
    public mutating func clear(_ slot: Int) {
        due[slot] = 0
        isReached[slot] = false
    }

    /// Removes `slot` at once, so that its number can be used for something else.
    public mutating func remove(_ slot: Int) {
        due[slot] = 0
        isReached[slot] = false
        if filed[slot] != 0 { unlink(slot) }
    }

    /// Whether a slot that `advance` reported is still to be told: not when its deadline was set, cleared or removed since.
    public mutating func takeReached(_ slot: Int) -> Bool {
        defer { isReached[slot] = false }
        return isReached[slot]
    }

    /// Turns the wheel to `now` and appends the slots that are due to `reached`; they have no deadline any more.
    public mutating func advance(to now: UInt64, reached: inout [Int32]) {
        let target = now / Self.resolution
        // After a long sleep one revolution visits every bucket.
        if target > tick + UInt64(Self.bucketCount) { tick = target - UInt64(Self.bucketCount) }
        while tick < target {
            tick += 1
            var slot = heads[Int(tick % UInt64(Self.bucketCount))]
            while slot != Self.none {
                let current = Int(slot)
                slot = next[current]
                guard filed[current] <= tick else { continue }
                unlink(current)
                guard due[current] != 0 else { continue }
                if due[current] <= now {
                    due[current] = 0
                    isReached[current] = true
                    reached.append(Int32(current))
                } else {
                    link(current, bucketTick(due[current]))
                }
            }
        }
    }

    /// When `advance` should be called next, or nil when nothing is filed.
    public var nextTime: UInt64? {
        guard count > 0 else { return nil }
        for ahead in 1...UInt64(Self.bucketCount)
        where heads[Int((tick + ahead) % UInt64(Self.bucketCount))] != Self.none {
            return (tick + ahead) * Self.resolution
        }
        return nil
    }

    /// The first tick at which `time` has passed, and always one to come.
    private func bucketTick(_ time: UInt64) -> UInt64 {
        max((time + Self.resolution - 1) / Self.resolution, tick + 1)
    }

    private mutating func link(_ slot: Int, _ wanted: UInt64) {
        let bucket = Int(wanted % UInt64(Self.bucketCount))
        filed[slot] = wanted
        previous[slot] = Self.none
        next[slot] = heads[bucket]
        if heads[bucket] != Self.none { previous[Int(heads[bucket])] = Int32(slot) }
        heads[bucket] = Int32(slot)
        count += 1
    }

    private mutating func unlink(_ slot: Int) {
        let before = previous[slot]
        let after = next[slot]
        if before != Self.none {
            next[Int(before)] = after
        } else {
            heads[Int(filed[slot] % UInt64(Self.bucketCount))] = after
        }
        if after != Self.none { previous[Int(after)] = before }
        filed[slot] = 0
        count -= 1
    }
}
