// SPDX-License-Identifier: Apache-2.0
// Where the clients of one loop come in: its listeners, those who wait for a place, and the connections that idle and may have to
// give way.

import Engine
import Synchronization

/// The way in of one loop.
///
/// `@unchecked Sendable` is safe because other loops use only the constants and the atomic; everything else is touched on
/// `loop` alone, to which `wake` and `ClientPlaces` submit what they ask for.
final class Door: Watcher, @unchecked Sendable {
    /// A number that no other door of the process has.
    let number = Door.doors.add(1, ordering: .relaxed).newValue
    private static let doors = Atomic<Int>(0)
    let loop: Loop
    let places: ClientPlaces
    /// When the connection that has idled longest became idle (milliseconds, monotonic), or `.max`. Written by the loop.
    let oldestIdle = Atomic<UInt64>(.max)

    // MARK: Confined to the loop

    private var listeners: [Listener] = []
    private var idle = IdleOrder()
    private var parked: ContiguousArray<Parked> = []
    /// How many wait of each client.
    private var parkedClients: [UInt64: Int] = [:]
    /// When the last place was had by one who waited, in milliseconds.
    private var lastServed: UInt64 = 0
    /// Since when there have always been some in the kernel's queue for whom there was no room here, in milliseconds, or 0.
    private var lineSince: UInt64 = 0
    private var hasDeadline = false

    /// A connection without a place.
    private final class Parked {
        var descriptor: Descriptor?
        let peer: SocketAddress
        let listener: Listener
        init(_ descriptor: consuming Descriptor, _ peer: SocketAddress, _ listener: Listener) {
            self.descriptor = consume descriptor
            self.peer = peer
            self.listener = listener
        }
    }

    /// As many connections as may wait here (`ClientPlaces.parkingLimit`) wait here, more in the kernel's queue, until none of them has
    /// had a place for so long (milliseconds): then those of clients beyond their share are closed, because somebody else may
    /// wait behind them.
    private static let standstill: UInt64 = 500
    /// How long somebody else may wait behind those of a client beyond its share, though places are handed on to that client
    /// (milliseconds): then they are closed, too.
    private static let patience: UInt64 = 2_000
    /// How often those who wait look for connections that have become idle, in milliseconds.
    private static let nudge = 100
    /// Places that are given out before others have their turn.
    private static let turn = 16
    /// Idle connections that are looked at for one of a certain client.
    private static let search = 64

    /// A closed door; `open` it for a listener.
    init(loop: Loop, places: ClientPlaces) {
        self.loop = loop
        self.places = places
        super.init()
    }

    func open(_ listener: Listener) {
        if listeners.isEmpty { places.opened(self) }
        listeners.append(listener)
    }

    func close(_ listener: Listener) {
        listeners.removeAll { $0 === listener }
        if listeners.isEmpty, parked.isEmpty { leave() }
    }

    // MARK: Connections that idle

    /// The connection in this slot has nothing to do from now on.
    func idles(_ slot: Int) {
        if idle.append(slot, at: loop.milliseconds) { publish() }
    }

    /// The connection in this slot has something to do, or is gone.
    func busy(_ slot: Int) {
        if idle.remove(slot) { publish() }
    }

    /// Connections that have nothing to do.
    var idleCount: Int { idle.count }

    private func publish() { oldestIdle.store(idle.oldest, ordering: .relaxed) }

    /// Closes the connection that has idled longest, of `client` or of anybody; false when there is none.
    func closeIdle(of client: UInt64?) -> Bool {
        var slot = idle.first
        for _ in 0..<Self.search {
            guard let current = slot else { return false }
            slot = idle.after(current)
            guard let connection = loop.watcher(at: current) as? HTTP1Connection else { continue }
            if let client, connection.client.address.clientNetwork != client { continue }
            guard connection.mayGiveWay(after: loop.milliseconds &- idle.since(current)) else { continue }
            if connection.giveWay() { return true }
            // A request was there, and its exchange may have changed the order.
            slot = idle.first
        }
        return false
    }

    // MARK: Coming in

    /// Whether a listener may accept another connection. When not, it holds.
    func mayAccept(_ listener: Listener) -> Bool {
        if hasUse { return true }
        if lineSince == 0, places.hasRoom { lineSince = max(1, loop.milliseconds) }
        listener.hold()
        wait()
        return false
    }

    /// Whether a connection that is accepted now finds a place, or may wait here, or will be closed.
    private var hasUse: Bool {
        guard places.hasRoom || places.idlesLongest(self) && closeIdle(of: nil) else { return false }
        return parked.count < places.parkingLimit || isStandstill
    }

    private var isStandstill: Bool {
        loop.milliseconds &- lastServed > Self.standstill
            || lineSince != 0 && loop.milliseconds &- lineSince > Self.patience
    }

    /// A connection came.
    func accepted(_ descriptor: consuming Descriptor, from peer: SocketAddress, by listener: Listener) {
        // Who waits already comes first.
        if parkedClients[peer.clientNetwork] == nil {
            var admission = places.take(for: peer, through: self)
            if case .beyondShare = admission, closeIdle(of: peer.clientNetwork) {
                admission = places.take(for: peer, through: self)
            }
            switch admission {
            case .place(let place):
                listener.begin(descriptor, place)
                return
            case .refused: return
            case .full, .beyondShare: break
            }
        }
        guard parked.count < places.parkingLimit else {
            places.countRefused()
            return
        }
        if parked.isEmpty { lastServed = loop.milliseconds }
        parked.append(Parked(descriptor, peer, listener))
        parkedClients[peer.clientNetwork, default: 0] += 1
        places.countParked(1)
        wait()
    }

    // MARK: Waiting

    private var isHolding: Bool { listeners.contains(where: \.isHeld) }

    /// Whether a connection waits here because all places are taken: in the kernel's queue, or parked because another loop took the
    /// last place after it had been accepted.
    private var wantsRoom: Bool {
        !places.hasRoom && (isHolding || parkedClients.keys.contains { places.mayHaveLast($0) })
    }

    private func wait() {
        let wantsRoom = wantsRoom
        places.join(self, wantsRoom: wantsRoom)
        // One may have become free before anybody could know that it is waited for.
        if wantsRoom, places.hasRoom { loop.schedule(self) }
        guard !hasDeadline else { return }
        hasDeadline = true
        if slot < 0 { loop.register(self) }
        loop.setDeadline(self, in: Self.nudge)
        ask()
    }

    /// Has idle connections of other loops give way.
    private func ask() {
        if let first = parked.first {
            places.contend(first.peer.clientNetwork)
            places.askOthers(than: self, toGiveWayTo: first.peer.clientNetwork)
        }
        if wantsRoom { places.askOthers(than: self, toGiveWayTo: nil) }
    }

    /// A place is free, and this door is the next to have it. From any loop.
    func wake(from door: Door) {
        if door === self { loop.schedule(self) } else { loop.submit { self.resume() } }
    }

    override func resume() {
        let parkedServed = serveParked()
        if parkedServed > 0 { lastServed = loop.milliseconds }
        let served = parkedServed + serveHeld()
        guard !parked.isEmpty || isHolding else {
            leave()
            if served == 0, places.hasRoom { places.passOn(from: self) }
            return
        }
        if served >= Self.turn { loop.schedule(self) }
        wait()
        if served == 0, places.hasRoom { places.passOn(from: self) }
    }

    override func deadlineReached() {
        hasDeadline = false
        guard !parked.isEmpty || isHolding else { return }
        resume()
    }

    /// Gives places to those who wait here, in their order, but past those who have their share.
    private func serveParked() -> Int {
        var served = 0
        var index = 0
        var over: UInt64?
        while index < parked.count, served < Self.turn, places.hasRoom || idleGivesWay(to: parked[index]) {
            let next = parked[index]
            let client = next.peer.clientNetwork
            if client == over {
                index += 1
                continue
            }
            var admission = places.take(for: next.peer, through: self)
            if case .beyondShare = admission, closeIdle(of: client) {
                admission = places.take(for: next.peer, through: self)
            }
            switch admission {
            case .place(let place):
                unpark(index)
                if let descriptor = next.descriptor.take() {
                    next.listener.begin(descriptor, place)
                } else {
                    place.give()
                }
                served += 1
            case .beyondShare:
                over = client
                index += 1
            case .refused: unpark(index)
            case .full: return served
            }
        }
        return served
    }

    /// Whether the connection that has idled longest was closed for this one.
    private func idleGivesWay(to next: Parked) -> Bool {
        places.mayHaveLast(next.peer.clientNetwork) && places.idlesLongest(self) && closeIdle(of: nil)
    }

    private func unpark(_ index: Int) {
        let client = parked.remove(at: index).peer.clientNetwork
        let count = parkedClients[client] ?? 1
        parkedClients[client] = count > 1 ? count - 1 : nil
        places.countParked(-1)
    }

    /// Accepts those who wait in the kernel's queue.
    private func serveHeld() -> Int {
        var served = 0
        for listener in listeners where listener.isHeld {
            while served < Self.turn, hasUse {
                guard listener.acceptHeld() else {
                    // Nobody waits behind the listener any more.
                    lineSince = 0
                    break
                }
                served += 1
            }
        }
        return served
    }

    private func leave() {
        places.leave(self)
        hasDeadline = false
        loop.unregister(self)
        if listeners.isEmpty { places.closed(self) }
    }

    /// The process stops and waits no longer: those who wait are closed.
    func cut() {
        while !parked.isEmpty { unpark(parked.count - 1) }
        if !isHolding { leave() }
    }
}
