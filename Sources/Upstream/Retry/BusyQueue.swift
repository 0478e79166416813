// SPDX-License-Identifier: Apache-2.0
// Requests that wait because every server of a pool has as many connections as it may have. First come, first served; each has a
// deadline, and their number a limit, so that a pool that is too slow answers 503 soon instead of collecting requests.

import Engine

/// One loop's queue for one pool.
final class BusyQueue: Watcher {
    private struct Waiter {
        let attempt: Attempt
        let deadline: UInt64
    }

    private let loop: Loop
    private let limit: Int
    private let timeout: UInt64
    private var waiters: ContiguousArray<Waiter> = []

    /// How often it looks by itself, in milliseconds: connections that other loops give back are not told here.
    private static let pace = 32

    init(loop: Loop, limit: Int, timeout: Int) {
        self.loop = loop
        self.limit = limit
        self.timeout = UInt64(timeout)
        super.init()
    }

    var isEmpty: Bool { waiters.isEmpty }

    /// Lets an attempt wait. False when too many do.
    func enter(_ attempt: Attempt) -> Bool {
        guard waiters.count < limit else { return false }
        if waiters.isEmpty {
            if slot < 0 { loop.register(self) }
            loop.setDeadline(self, in: Self.pace)
        }
        waiters.append(Waiter(attempt: attempt, deadline: loop.milliseconds + timeout))
        return true
    }

    /// The attempt waits no more.
    func leave(_ attempt: Attempt) {
        waiters.removeAll { $0.attempt === attempt }
        rest()
    }

    /// A connection of this loop idles, or has ended.
    func connectionFreed() {
        if !waiters.isEmpty { loop.schedule(self) }
    }

    override func resume() { serve() }

    override func deadlineReached() {
        serve()
        // They all wait equally long, so the first is the oldest.
        while let first = waiters.first, first.deadline <= loop.milliseconds {
            waiters.removeFirst()
            first.attempt.noRoomInTime()
        }
        if waiters.isEmpty { rest() } else { loop.setDeadline(self, in: Self.pace) }
    }

    private func serve() {
        while let first = waiters.first {
            // It is out of the queue while it tries, since it may end for good.
            waiters.removeFirst()
            if first.attempt.roomMade() { continue }
            waiters.insert(first, at: 0)
            return
        }
        rest()
    }

    /// Without a place in the loop there is nothing that holds it but its pool.
    private func rest() {
        if waiters.isEmpty { loop.unregister(self) }
    }
}
