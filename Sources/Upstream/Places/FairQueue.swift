// SPDX-License-Identifier: Apache-2.0
// Requests that wait for a place, in a lane for each client: first come, first served within a lane, and the lanes in turn. So
// whoever has a thousand requests waiting delays the first request of another by one turn.

import Engine

/// A queue with a lane for each client: pure.
struct FairQueue<Element> {
    /// Stands for a waiting request.
    struct Ticket: Equatable, Sendable {
        fileprivate let slot: Int32
        fileprivate let number: UInt32
    }

    private struct Waiter {
        var element: Element?
        var lane: Int32
        /// Whether it has tried no server yet, and so may go to any.
        var isNewcomer: Bool
        var deadline: UInt64
        /// The turn in which it was offered a place last.
        var turn: UInt32 = 0
        var number: UInt32
        /// Neighbours in its lane, and by age.
        var inLane = Links()
        var byAge = Links()
    }

    private struct Lane {
        var client: UInt32
        var first: Int32 = -1
        var last: Int32 = -1
        var count = 0
        var newcomers = 0
        /// Whether the client had its share when its first newcomer was offered a place last.
        var isHeldBack = false
        /// The turn in which nothing more is to be offered to it.
        var skipped: UInt32 = 0
        /// Neighbours in the ring of lanes.
        var inRing = Links()
    }

    private struct Links {
        var previous: Int32 = -1
        var next: Int32 = -1
    }

    /// One round of offering places: how many requests are still to be asked, and whether it is over.
    struct Turn {
        fileprivate let number: UInt32
        fileprivate var offers: Int
        /// No server has room for anybody.
        fileprivate(set) var isFull = false
        fileprivate(set) var isServed = false
    }

    /// Requests that are offered a place in one turn at most: those that may not take one shall not cost more than those that do.
    static var offersInTurn: Int { 64 }

    private let limit: Int
    private let share: ClientShare
    private var waiters: ContiguousArray<Waiter> = []
    private var freeWaiters: ContiguousArray<Int32> = []
    private var lanes: ContiguousArray<Lane> = []
    private var freeLanes: ContiguousArray<Int32> = []
    private var laneOf: [UInt32: Int32] = [:]
    private var firstLane: Int32 = -1
    private var lastLane: Int32 = -1
    private var oldest: Int32 = -1
    private var youngest: Int32 = -1
    private var turns: UInt32 = 0
    private var numbers: UInt32 = 0

    /// How many wait.
    private(set) var count = 0
    /// How many of them have tried no server yet and wait because there is no room for anybody.
    private(set) var crowd = 0

    /// - Parameters:
    ///   - limit: How many may wait.
    ///   - share: How many of them may be one client's.
    init(limit: Int, share: ClientShare) {
        self.limit = limit
        self.share = share
    }

    // MARK: Coming and going

    /// Lets a request wait until `deadline`, which is never before that of one that came earlier. Nil when too many wait, or too
    /// many of its client.
    ///
    /// - Parameters:
    ///   - client: `Claimant.lane`.
    ///   - isNewcomer: Whether it has tried no server yet.
    ///   - isHeldBack: Whether its client has its share, so that there may be room for others.
    mutating func enter(
        _ element: Element, client: UInt32, isNewcomer: Bool, isHeldBack: Bool, deadline: UInt64
    ) -> Ticket? {
        let held = laneOf[client].map { lanes[Int($0)].count } ?? 0
        guard share.room(used: count, limit: limit, held: held) == .free else { return nil }
        let lane = laneOf[client] ?? openLane(client)
        numbers &+= 1
        let waiter = Waiter(
            element: element, lane: lane, isNewcomer: isNewcomer, deadline: deadline, number: numbers)
        let slot: Int32
        if let free = freeWaiters.popLast() {
            slot = free
            waiters[Int(slot)] = waiter
        } else {
            slot = Int32(waiters.count)
            waiters.append(waiter)
        }
        link(slot, in: lane)
        count += 1
        if isNewcomer {
            lanes[Int(lane)].newcomers += 1
            if !lanes[Int(lane)].isHeldBack { crowd += 1 }
            if isHeldBack { setHeldBack(true, lane) }
        }
        return Ticket(slot: slot, number: numbers)
    }

    /// The request waits no more. Nil when it did not.
    @discardableResult
    mutating func leave(_ ticket: Ticket) -> Element? {
        let slot = Int(ticket.slot)
        guard slot < waiters.count, waiters[slot].number == ticket.number, let element = waiters[slot].element else {
            return nil
        }
        unlink(ticket.slot)
        waiters[slot].element = nil
        freeWaiters.append(ticket.slot)
        count -= 1
        let lane = waiters[slot].lane
        if waiters[slot].isNewcomer {
            lanes[Int(lane)].newcomers -= 1
            if !lanes[Int(lane)].isHeldBack { crowd -= 1 }
        }
        if lanes[Int(lane)].count == 0 { closeLane(lane) }
        return element
    }

    /// Takes out the oldest request, if it has waited for as long as it may.
    mutating func expire(at now: UInt64) -> Element? {
        guard oldest >= 0, waiters[Int(oldest)].deadline <= now else { return nil }
        return leave(Ticket(slot: oldest, number: waiters[Int(oldest)].number))
    }

    // MARK: Offering places

    /// Begins a round of offers. Requests that come meanwhile have their turn next time.
    mutating func beginTurn() -> Turn {
        turns &+= 1
        return Turn(number: turns, offers: min(count, Self.offersInTurn))
    }

    /// The request that is to be offered a place now; nil when the turn is over. It stays in the queue until `settle`.
    mutating func next(_ turn: inout Turn) -> (ticket: Ticket, element: Element)? {
        guard !turn.isFull, turn.offers > 0 else { return nil }
        var left = laneOf.count
        while left > 0, firstLane >= 0 {
            let lane = firstLane
            if lanes[Int(lane)].skipped != turn.number {
                var slot = lanes[Int(lane)].first
                while slot >= 0, waiters[Int(slot)].turn == turn.number { slot = waiters[Int(slot)].inLane.next }
                if slot >= 0, let element = waiters[Int(slot)].element {
                    waiters[Int(slot)].turn = turn.number
                    turn.offers -= 1
                    return (Ticket(slot: slot, number: waiters[Int(slot)].number), element)
                }
                lanes[Int(lane)].skipped = turn.number
            }
            moveBack(lane)
            left -= 1
        }
        return nil
    }

    /// What came of the offer.
    mutating func settle(_ ticket: Ticket, _ outcome: PlaceOffer, _ turn: inout Turn) {
        let waiter = waiters[Int(ticket.slot)]
        let isHere = waiter.number == ticket.number && waiter.element != nil
        switch outcome {
        case .served:
            turn.isServed = true
            // That there was room for one of a client that has its share says nothing of the next: it is offered a place, too.
            guard isHere else { return }
            moveBack(waiter.lane)
            leave(ticket)
        case .full:
            // One that may go to any server speaks for all; one that may not leaves the room there is to those behind it.
            guard isHere, waiter.isNewcomer else { return }
            setHeldBack(false, waiter.lane)
            turn.isFull = true
        case .overShare:
            guard isHere, waiter.isNewcomer else { return }
            setHeldBack(true, waiter.lane)
            lanes[Int(waiter.lane)].skipped = turn.number
            moveBack(waiter.lane)
        }
    }

    private mutating func setHeldBack(_ isHeldBack: Bool, _ lane: Int32) {
        guard lanes[Int(lane)].isHeldBack != isHeldBack else { return }
        lanes[Int(lane)].isHeldBack = isHeldBack
        crowd += isHeldBack ? -lanes[Int(lane)].newcomers : lanes[Int(lane)].newcomers
    }

    // MARK: Lists

    private mutating func openLane(_ client: UInt32) -> Int32 {
        let lane: Int32
        if let free = freeLanes.popLast() {
            lane = free
            lanes[Int(lane)] = Lane(client: client)
        } else {
            lane = Int32(lanes.count)
            lanes.append(Lane(client: client))
        }
        laneOf[client] = lane
        appendLane(lane)
        return lane
    }

    private mutating func closeLane(_ lane: Int32) {
        removeLane(lane)
        laneOf[lanes[Int(lane)].client] = nil
        freeLanes.append(lane)
    }

    /// It is the other lanes' turn.
    private mutating func moveBack(_ lane: Int32) {
        guard lane != lastLane else { return }
        removeLane(lane)
        appendLane(lane)
    }

    private mutating func appendLane(_ lane: Int32) {
        lanes[Int(lane)].inRing = Links(previous: lastLane, next: -1)
        if lastLane >= 0 { lanes[Int(lastLane)].inRing.next = lane } else { firstLane = lane }
        lastLane = lane
    }

    private mutating func removeLane(_ lane: Int32) {
        let links = lanes[Int(lane)].inRing
        if links.previous >= 0 { lanes[Int(links.previous)].inRing.next = links.next } else { firstLane = links.next }
        if links.next >= 0 {
            lanes[Int(links.next)].inRing.previous = links.previous
        } else {
            lastLane = links.previous
        }
    }

    private mutating func link(_ slot: Int32, in lane: Int32) {
        waiters[Int(slot)].inLane = Links(previous: lanes[Int(lane)].last, next: -1)
        if lanes[Int(lane)].last >= 0 {
            waiters[Int(lanes[Int(lane)].last)].inLane.next = slot
        } else {
            lanes[Int(lane)].first = slot
        }
        lanes[Int(lane)].last = slot
        lanes[Int(lane)].count += 1
        waiters[Int(slot)].byAge = Links(previous: youngest, next: -1)
        if youngest >= 0 { waiters[Int(youngest)].byAge.next = slot } else { oldest = slot }
        youngest = slot
    }

    private mutating func unlink(_ slot: Int32) {
        let (lane, inLane, byAge) = (
            Int(waiters[Int(slot)].lane), waiters[Int(slot)].inLane, waiters[Int(slot)].byAge
        )
        if inLane.previous >= 0 {
            waiters[Int(inLane.previous)].inLane.next = inLane.next
        } else {
            lanes[lane].first = inLane.next
        }
        if inLane.next >= 0 {
            waiters[Int(inLane.next)].inLane.previous = inLane.previous
        } else {
            lanes[lane].last = inLane.previous
        }
        lanes[lane].count -= 1
        if byAge.previous >= 0 { waiters[Int(byAge.previous)].byAge.next = byAge.next } else { oldest = byAge.next }
        if byAge.next >= 0 {
            waiters[Int(byAge.next)].byAge.previous = byAge.previous
        } else {
            youngest = byAge.previous
        }
    }
}
