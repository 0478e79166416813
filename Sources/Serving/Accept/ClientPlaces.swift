// SPDX-License-Identifier: Apache-2.0
// The places for client connections, of all loops: who may have one, and who gets one that becomes free.
//
// While there are places, a client gets one unless it has its share (`ClientShare`). When there is none, the connection that has
// idled longest gives way, on whatever loop it is; when none idles, new connections wait in the kernel's queue, and those that
// have had their place for a moment end with their responses (`Connection: close`). A client that has its share waits in a queue
// of its own at the door, so that those behind it can be seen, and only its own idle connections give way to it.
//
// Counting is atomic. The lock is taken when somebody waits, and never for a request.

import Bytes
import Engine
import Synchronization

/// Places for client connections, and the doors where they are waited for.
public final class ClientPlaces: Sendable {
    let budget: ConnectionBudget
    private let clients: ClientConnections
    /// Those that are open.
    private let doors = Lock<[Door]>([])
    private let queue = Lock(PlaceQueue())
    /// Doors in the queue, and those among them that wait because all places are taken.
    private let waiting = Atomic<Int>(0)
    private let roomWaiting = Atomic<Int>(0)
    private let waitingLimit = Atomic<Int>(ClientPlaces.mostWaiting)
    /// Connections that wait at the doors.
    private let parked = Atomic<Int>(0)
    /// The client that waits for one of its own connections to end, or `.max`.
    private let contended = Atomic<UInt64>(.max)
    private let turnedAway = Atomic<Int>(0)

    /// - Parameters:
    ///   - limit: Connections at most.
    ///   - clients: The limit for each client, if there is one, and who has none.
    public init(limit: Int, clients: ClientConnections = ClientConnections()) {
        budget = ConnectionBudget(limit: limit)
        self.clients = clients
    }

    /// Connections that may be open at once.
    public var limit: Int { budget.limit }
    /// Connections that are open, or wait for a place, now.
    public var count: Int { budget.count + parked.load(ordering: .relaxed) }

    /// Connections that may wait at a door for a place; more wait in the kernel's queue.
    public static let mostWaiting = 256

    /// Connections of clients beyond their share that were closed since too many of them waited.
    var refused: Int { turnedAway.load(ordering: .relaxed) }

    /// Allows no more than `limit` connections from now on, and `waiting` that have none at each door: the process has room for
    /// no more.
    public func lower(to limit: Int, waiting: Int) {
        budget.lower(to: limit)
        waitingLimit.store(min(waiting, Self.mostWaiting), ordering: .relaxed)
    }

    /// Connections that may wait at one door.
    var parkingLimit: Int { waitingLimit.load(ordering: .relaxed) }

    /// Whether a place is free; another loop may take it first.
    var hasRoom: Bool { budget.hasRoom }

    // MARK: Doors

    /// A door has its first listener.
    func opened(_ door: Door) { doors.withLock { $0.append(door) } }

    /// A door has no listener any more, and nobody waits there.
    func closed(_ door: Door) { doors.withLock { $0.removeAll { $0 === door } } }

    // MARK: Coming and going

    /// What comes of asking for a place.
    enum Admission {
        case place(Place)
        /// All are taken.
        case full
        /// The client has its share.
        case beyondShare
        /// The client has far more connections than it may.
        case refused
    }

    /// A place for a connection of `peer` that came through `door`.
    func take(for peer: SocketAddress, through door: Door) -> Admission {
        guard let left = budget.take() else { return .full }
        switch clients.take(peer, left: left) {
        case .served: return .place(Place(door, peer))
        case .crowded: return .place(Place(door, peer, isCrowded: true))
        case .exempt: return .place(Place(door, peer, isCounted: false))
        case .beyondShare:
            giveBack(at: door)
            return .beyondShare
        case .refused:
            giveBack(at: door)
            return .refused
        }
    }

    /// Whether a client, by its network, has so few places that it might have the last one.
    func mayHaveLast(_ client: UInt64) -> Bool { clients.mayHaveLast(client) }

    fileprivate func give(_ place: Place) {
        if place.isCounted { clients.give(place.peer) }
        budget.give()
        guard waiting.load(ordering: .sequentiallyConsistent) > 0 else { return }
        let now = place.door.loop.milliseconds
        wake(change { $0.next(at: place.door.number, now: now) }, from: place.door)
    }

    /// A place that was taken to see whether it may be had. Only who has seen no room meanwhile can have missed it.
    private func giveBack(at door: Door) {
        budget.give()
        guard roomWaiting.load(ordering: .sequentiallyConsistent) > 0 else { return }
        passOn(from: door)
    }

    /// A place is free, and the door has no use for it.
    func passOn(from door: Door) {
        guard roomWaiting.load(ordering: .relaxed) > 0 else { return }
        wake(change { $0.nextForRoom(after: door.number) }, from: door)
    }

    /// A door waits until it is woken.
    func join(_ door: Door, wantsRoom: Bool) {
        let now = door.loop.milliseconds
        change { $0.join(door.number, at: now, wantsRoom: wantsRoom) }
    }

    /// A door waits no more.
    func leave(_ door: Door) {
        if waiting.load(ordering: .relaxed) > 0 { change { $0.leave(door.number) } }
    }

    private func change<Result: Sendable>(_ body: (inout PlaceQueue) -> Result) -> Result {
        queue.withLock { queue in
            let result = body(&queue)
            waiting.store(queue.entries.count, ordering: .sequentiallyConsistent)
            roomWaiting.store(queue.roomCount, ordering: .sequentiallyConsistent)
            return result
        }
    }

    private func wake(_ number: Int?, from door: Door) {
        guard let number else { return }
        doors.withLock { $0.first { $0.number == number } }?.wake(from: door)
    }

    // MARK: Giving way

    /// Whether the connection with this place shall end with its response, because another waits for the place. Asked for every
    /// response; two loads.
    ///
    /// A connection keeps its place for `turn` milliseconds: if it ended with its next response, a client that sends one request
    /// after the other would connect anew for each of them.
    fileprivate func isWanted(_ place: Place) -> Bool {
        guard waiting.load(ordering: .relaxed) > 0,
            place.door.loop.milliseconds &- place.since >= ServingOptions.placeTurn
        else { return false }
        return roomWaiting.load(ordering: .relaxed) > 0
            || contended.load(ordering: .relaxed) == place.peer.clientNetwork
    }

    /// From now on connections of this client end with their responses while somebody waits.
    func contend(_ client: UInt64) { contended.store(client, ordering: .relaxed) }

    /// Whether the connection that has idled longest is behind this door, or has idled hardly longer than the longest there,
    /// which is cheaper to close.
    func idlesLongest(_ door: Door) -> Bool {
        let here = door.oldestIdle.load(ordering: .relaxed)
        guard here != .max else { return false }
        return others(than: door).allSatisfy { Self.isAsOld(here, as: $0.oldestIdle.load(ordering: .relaxed)) }
    }

    /// Whether what idles since `here` has idled as long as what idles since `other`, or hardly shorter. `other` is `.max` where
    /// nothing idles.
    static func isAsOld(_ here: UInt64, as other: UInt64) -> Bool {
        here <= other || here - other <= muchLonger
    }

    /// A difference in idling that is worth waking another loop, in milliseconds.
    private static let muchLonger: UInt64 = 1_000

    /// Has another loop close the connection that has idled longest there, of `client` or of anybody. Whoever waits is then
    /// woken.
    func askOthers(than door: Door, toGiveWayTo client: UInt64?) {
        let asked = others(than: door).filter { $0.oldestIdle.load(ordering: .relaxed) != .max }
            .sorted { $0.oldestIdle.load(ordering: .relaxed) < $1.oldestIdle.load(ordering: .relaxed) }
        Self.ask(asked[...], client)
    }

    private static func ask(_ doors: ArraySlice<Door>, _ client: UInt64?) {
        guard let door = doors.first else { return }
        door.loop.submit {
            if !door.closeIdle(of: client) { ask(doors.dropFirst(), client) }
        }
    }

    private func others(than door: Door) -> [Door] {
        doors.withLock { $0.filter { $0 !== door } }
    }

    func countRefused() { turnedAway.add(1, ordering: .relaxed) }
    func countParked(_ change: Int) { parked.add(change, ordering: .relaxed) }
}

/// A connection's place among those that may be open; given back once, when it ends.
struct Place {
    /// Where the connection came in.
    let door: Door
    let peer: SocketAddress
    /// The client has more connections than it may: it is told so, and no more.
    let isCrowded: Bool
    fileprivate let isCounted: Bool
    /// When it was given, on the loop's clock in milliseconds.
    fileprivate let since: UInt64

    fileprivate init(_ door: Door, _ peer: SocketAddress, isCrowded: Bool = false, isCounted: Bool = true) {
        self.door = door
        self.peer = peer
        self.isCrowded = isCrowded
        self.isCounted = isCounted
        since = door.loop.milliseconds
    }

    func give() { door.places.give(self) }

    /// Whether somebody waits for it.
    var isWanted: Bool { door.places.isWanted(self) }
}
