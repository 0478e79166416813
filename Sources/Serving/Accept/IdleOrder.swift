// SPDX-License-Identifier: Apache-2.0
// Which connections of a loop idle, the longest idle one first: pure. A doubly linked list over arrays of slot numbers, as in
// `DeadlineWheel`, since every request leaves it and joins it again.

/// Slots of a loop in the order in which they became idle.
struct IdleOrder: Sendable {
    private static let none: Int32 = -1
    private var next: [Int32] = []
    private var previous: [Int32] = []
    /// When the slot became idle, in milliseconds, or 0 when it is not.
    private var times: [UInt64] = []
    private var last = none
    /// The slot that has idled longest.
    private(set) var first: Int?
    /// How many idle.
    private(set) var count = 0

    /// When the longest idle one became so; `.max` when none idles.
    var oldest: UInt64 { first.map { times[$0] } ?? .max }

    /// The slot became idle at `now`, which is no earlier than for all others. Says whether it is the longest idle one.
    mutating func append(_ slot: Int, at now: UInt64) -> Bool {
        while times.count <= slot {
            times.append(0)
            next.append(Self.none)
            previous.append(Self.none)
        }
        guard times[slot] == 0 else { return false }
        times[slot] = max(now, 1)
        next[slot] = Self.none
        previous[slot] = last
        count += 1
        defer { last = Int32(slot) }
        guard last != Self.none else {
            first = slot
            return true
        }
        next[Int(last)] = Int32(slot)
        return false
    }

    /// The slot idles no more. Says whether it was the longest idle one.
    mutating func remove(_ slot: Int) -> Bool {
        guard slot < times.count, times[slot] != 0 else { return false }
        times[slot] = 0
        count -= 1
        let (before, after) = (previous[slot], next[slot])
        if after != Self.none { previous[Int(after)] = before } else { last = before }
        guard before != Self.none else {
            first = after == Self.none ? nil : Int(after)
            return true
        }
        next[Int(before)] = after
        return false
    }

    /// When the slot, which idles, became idle.
    func since(_ slot: Int) -> UInt64 { times[slot] }

    /// The slot that became idle next after this one, which idles.
    func after(_ slot: Int) -> Int? {
        guard slot < next.count, next[slot] != Self.none else { return nil }
        return Int(next[slot])
    }
}
