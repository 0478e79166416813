// SPDX-License-Identifier: Apache-2.0
// Requests that wait because every server of a pool has as many connections as it may have. First come, first served; each has a
// deadline, and their number a limit, so that a pool that is too slow answers 503 soon instead of collecting requests.

import Engine

/// One loop's queue for one pool.
///
/// `@unchecked Sendable` is safe because everything is touched only on `loop`, to which `ring` submits itself when it is called
/// on another.
final class BusyQueue: Watcher, @unchecked Sendable {
    private struct Waiter {
        let attempt: Attempt
        /// Whether it has tried no server yet, and so may go to any.
        let isNewcomer: Bool
        let deadline: UInt64
    }

    private let loop: Loop
    /// The queues of all loops.
    let others: WaitingLoops
    private let limit: Int
    private let timeout: UInt64
    private var waiters: ContiguousArray<Waiter> = []
    /// How many of them have tried no server yet.
    private var newcomers = 0
    private var isServing = false
    /// What the other loops have been told: whether somebody waits here, and how many newcomers.
    private var told = (isFilled: false, newcomers: 0)
    /// How many loops may still be rung for the place that this was rung for, if nobody here can use it.
    private var rings = 0

    /// How often it looks by itself, in milliseconds: now and then a place that was given back is told to nobody.
    private static let pace = 32

    init(loop: Loop, others: WaitingLoops, limit: Int, timeout: Int) {
        self.loop = loop
        self.others = others
        self.limit = limit
        self.timeout = UInt64(timeout)
        super.init()
    }

    /// Lets an attempt wait. False when too many do.
    ///
    /// - Parameter isNewcomer: Whether it has tried no server yet.
    func enter(_ attempt: Attempt, isNewcomer: Bool) -> Bool {
        guard waiters.count < limit else { return false }
        let waiter = Waiter(attempt: attempt, isNewcomer: isNewcomer, deadline: loop.milliseconds + timeout)
        insert(waiter, at: waiters.count)
        tellOthers()
        return true
    }

    /// The attempt waits no more.
    func leave(_ attempt: Attempt) {
        guard let index = waiters.firstIndex(where: { $0.attempt === attempt }) else { return }
        _ = remove(at: index)
        tellOthers()
    }

    /// There may be room for those who wait here. Called on the loop.
    func wake() {
        if !waiters.isEmpty { loop.schedule(self) }
    }

    /// There is room at a server; `rings` is how many other loops may be told if nobody here can use it. Called on `caller`.
    func ring(from caller: Loop, rings: Int) {
        guard caller !== loop else {
            self.rings = max(self.rings, rings)
            loop.schedule(self)
            return
        }
        loop.submit { [self] in
            self.rings = max(self.rings, rings)
            serve()
        }
    }

    override func resume() { serve() }

    override func deadlineReached() {
        serve()
        // They all wait equally long, so the first is the oldest.
        while let first = waiters.first, first.deadline <= loop.milliseconds {
            _ = remove(at: 0)
            first.attempt.noRoomInTime()
        }
        tellOthers()
        if !waiters.isEmpty { loop.setDeadline(self, in: Self.pace) }
    }

    private func serve() {
        let rings = rings
        self.rings = 0
        let (isFull, isServed) = serveInTurn()
        if isServed || !isFull { others.hadTurn(self) }
        if !isFull { others.placeFreed(on: loop, rings: rings) }
    }

    /// Serves those for whom there is room, in the order in which they came. Tells whether no server has any more, and whether
    /// anybody was served.
    private func serveInTurn() -> (isFull: Bool, isServed: Bool) {
        isServing = true
        defer {
            isServing = false
            tellOthers()
        }
        var index = 0
        var isServed = false
        // Those that come meanwhile have their turn next time.
        var left = waiters.count
        while left > 0, index < waiters.count {
            left -= 1
            // It is out of the queue while it tries, since it may end for good.
            let waiter = remove(at: index)
            if waiter.attempt.roomMade() {
                isServed = true
                continue
            }
            index = min(index, waiters.count)
            insert(waiter, at: index)
            // It may go to any server. One that may not leaves the room there is to those behind it.
            if waiter.isNewcomer { return (true, isServed) }
            index += 1
        }
        return (false, isServed)
    }

    private func insert(_ waiter: Waiter, at index: Int) {
        waiters.insert(waiter, at: index)
        if waiter.isNewcomer { newcomers += 1 }
    }

    private func remove(at index: Int) -> Waiter {
        let waiter = waiters.remove(at: index)
        if waiter.isNewcomer { newcomers -= 1 }
        return waiter
    }

    private func tellOthers() {
        guard !isServing else { return }
        if newcomers != told.newcomers { others.countNewcomers(newcomers - told.newcomers) }
        told.newcomers = newcomers
        guard waiters.isEmpty == told.isFilled else { return }
        told.isFilled.toggle()
        if told.isFilled {
            if slot < 0 { loop.register(self) }
            loop.setDeadline(self, in: Self.pace)
            others.filled(self)
        } else {
            // Without a place in the loop there is nothing that holds it but its pool.
            loop.unregister(self)
            others.emptied(self)
        }
    }
}
