// SPDX-License-Identifier: Apache-2.0
// Requests that wait because no server of a pool has room for them. Clients are served in turn, each one's requests first come, first
// served; each request has a deadline, and their number a limit, so that a pool that is too slow answers 503 soon instead of
// collecting requests. `FairQueue` decides who is next; this offers the places.

import Engine
import Synchronization

/// Stands for a request that waits for a place.
public struct WaitingTicket: Sendable {
    let ticket: FairQueue<Attempt>.Ticket
}

/// One loop's queue for one pool.
///
/// `@unchecked Sendable` is safe because everything but `isRung` is touched only on `loop`, to which `ring` submits itself when it is
/// called on another.
final class BusyQueue: Watcher, @unchecked Sendable {
    private let loop: Loop
    /// The queues of all loops.
    let others: WaitingLoops
    private let timeout: UInt64
    private var waiting: FairQueue<Attempt>
    private var isServing = false
    /// What the other loops have been told: whether somebody waits here, and how many newcomers.
    private var told = (isFilled: false, crowd: 0)
    /// How many loops may still be rung for the place that this was rung for, if nobody here can use it.
    private var rings = 0
    /// Whether another loop has rung and has not been heard yet: what it would say again need not be said.
    private let isRung = Atomic<Bool>(false)

    /// How often it looks by itself, in milliseconds: now and then a place that was given back is told to nobody.
    private static let pace = 32

    init(loop: Loop, others: WaitingLoops, limit: Int, share: ClientShare, timeout: Int) {
        self.loop = loop
        self.others = others
        self.timeout = UInt64(timeout)
        waiting = FairQueue(limit: limit, share: share)
        super.init()
    }

    /// Lets an attempt wait. Nil when too many do, or too many of the same client.
    ///
    /// - Parameters:
    ///   - isNewcomer: Whether it has tried no server yet.
    ///   - isHeldBack: Whether there is room, but not for its client.
    func enter(_ attempt: Attempt, _ claimant: Claimant?, isNewcomer: Bool, isHeldBack: Bool) -> WaitingTicket? {
        let ticket = waiting.enter(
            attempt, client: claimant?.lane ?? .max, isNewcomer: isNewcomer, isHeldBack: isHeldBack,
            deadline: loop.milliseconds + timeout)
        guard let ticket else { return nil }
        tellOthers()
        // It may have come behind others that have their share, while there is room for it.
        if !isHeldBack { loop.schedule(self) }
        return WaitingTicket(ticket: ticket)
    }

    /// The attempt waits no more.
    func leave(_ ticket: WaitingTicket) {
        waiting.leave(ticket.ticket)
        tellOthers()
    }

    /// There may be room for those who wait here. Called on the loop.
    func wake() {
        if waiting.count > 0 { loop.schedule(self) }
    }

    /// There is room at a server; `rings` is how many other loops may be told if nobody here can use it. Called on `caller`.
    func ring(from caller: Loop, rings: Int) {
        guard caller !== loop else {
            self.rings = max(self.rings, rings)
            loop.schedule(self)
            return
        }
        guard !isRung.exchange(true, ordering: .acquiringAndReleasing) else { return }
        loop.submit { [self] in
            isRung.store(false, ordering: .releasing)
            self.rings = max(self.rings, rings)
            serve()
        }
    }

    override func resume() { serve() }

    override func deadlineReached() {
        serve()
        // They all wait equally long, so the oldest is the first.
        while let attempt = waiting.expire(at: loop.milliseconds) { attempt.noRoomInTime() }
        tellOthers()
        if waiting.count > 0 { loop.setDeadline(self, in: Self.pace) }
    }

    private func serve() {
        let rings = rings
        self.rings = 0
        guard waiting.count > 0 else {
            others.placeFreed(on: loop, rings: rings)
            return
        }
        var turn = waiting.beginTurn()
        isServing = true
        while let (ticket, attempt) = waiting.next(&turn) {
            // It stays in the queue while it tries, and may have left it by itself, or ended for good, when it has.
            waiting.settle(ticket, attempt.roomMade(), &turn)
        }
        isServing = false
        tellOthers()
        if turn.isServed || !turn.isFull { others.hadTurn(self) }
        if !turn.isFull { others.placeFreed(on: loop, rings: rings) }
    }

    private func tellOthers() {
        guard !isServing else { return }
        let crowd = waiting.crowd
        if crowd != told.crowd { others.countNewcomers(crowd - told.crowd) }
        told.crowd = crowd
        guard (waiting.count == 0) == told.isFilled else { return }
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
