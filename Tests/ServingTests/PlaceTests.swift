// SPDX-License-Identifier: Apache-2.0
import Engine
import Testing

@testable import Serving

@Suite("The share of one client") struct PlaceShareTests {
    @Test("is all but an eighth of the places, however many there are", arguments: [8, 10, 50, 1_000, 100_000])
    func oneClient(_ limit: Int) {
        var held = 0
        while held < limit, ClientConnections.share.allows(held: held, free: limit - held) { held += 1 }
        #expect(held < limit)
        #expect(held >= limit * 7 / 8)
    }

    @Test("leaves something for each of those who come after it", arguments: [1_000])
    func manyClients(_ limit: Int) {
        var open = 0
        var held: [Int] = []
        for _ in 0..<4 {
            var own = 0
            while open < limit, ClientConnections.share.allows(held: own, free: limit - open) {
                own += 1
                open += 1
            }
            held.append(own)
        }
        #expect(held == held.sorted(by: >))
        #expect(held.allSatisfy { $0 > 0 })
    }

    @Test("is the last place, too, for who has none")
    func lastPlace() { #expect(ClientConnections.share.allows(held: 0, free: 1)) }
}

@Suite("A place that becomes free") struct PlaceQueueTests {
    private func expect(_ queue: inout PlaceQueue, at door: Int, now: UInt64, gets expected: Int?) {
        let got = queue.next(at: door, now: now)
        #expect(got == expected)
    }

    @Test("goes to nobody when nobody waits")
    func empty() {
        var queue = PlaceQueue()
        expect(&queue, at: 1, now: 5, gets: nil)
        let passedOn = queue.nextForRoom(after: 1)
        #expect(passedOn == nil)
    }

    @Test("stays in its loop, unless another has waited for too long")
    func patience() {
        var queue = PlaceQueue()
        queue.join(2, at: 100, wantsRoom: true)
        queue.join(1, at: 105, wantsRoom: true)
        expect(&queue, at: 1, now: 110, gets: 1)
        queue.join(1, at: 110, wantsRoom: true)
        expect(&queue, at: 1, now: 111, gets: 2)
        expect(&queue, at: 1, now: 300, gets: 1)
        #expect(queue.entries.isEmpty)
    }

    @Test("goes to who has waited longest when nobody waits in its loop")
    func elsewhere() {
        var queue = PlaceQueue()
        for door in [3, 2] { queue.join(door, at: 100, wantsRoom: false) }
        expect(&queue, at: 1, now: 100, gets: 3)
    }

    @Test("is passed on to one that certainly has a use for it")
    func passedOn() {
        var queue = PlaceQueue()
        queue.join(1, at: 0, wantsRoom: false)
        queue.join(2, at: 0, wantsRoom: true)
        queue.join(3, at: 0, wantsRoom: true)
        #expect(queue.roomCount == 2)
        let passedOn = [queue.nextForRoom(after: 2), queue.nextForRoom(after: 2)]
        #expect(passedOn == [3, nil])
    }

    @Test("is waited for once by each, since it first came")
    func joinsOnce() {
        var queue = PlaceQueue()
        queue.join(1, at: 10, wantsRoom: false)
        queue.join(1, at: 20, wantsRoom: true)
        #expect(queue.entries == [.init(door: 1, since: 10, wantsRoom: true)])
        queue.leave(1)
        #expect(queue.entries.isEmpty)
    }
}

@Suite("The order of those that idle") struct IdleOrderTests {
    @Test("begins with the longest idle, whoever leaves it, from wherever")
    func order() {
        // Against an array that does the same slowly.
        var order = IdleOrder()
        var expected: [(slot: Int, since: UInt64)] = []
        var random: UInt64 = 0x2545_F491_4F6C_DD1D
        for now in UInt64(1)...5_000 {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            let slot = Int(random % 37)
            if let index = expected.firstIndex(where: { $0.slot == slot }) {
                expected.remove(at: index)
                let wasFirst = order.remove(slot)
                #expect(wasFirst == (index == 0))
            } else {
                let isFirst = order.append(slot, at: now)
                #expect(isFirst == expected.isEmpty)
                expected.append((slot, now))
            }
            #expect(order.count == expected.count)
            #expect(order.first == expected.first?.slot)
            #expect(order.oldest == expected.first?.since ?? .max)
            var walked: [Int] = []
            var next = order.first
            while let slot = next {
                walked.append(slot)
                next = order.after(slot)
            }
            #expect(walked == expected.map(\.slot))
        }
    }

    @Test("takes a slot once, and lets one go that is not in it")
    func twice() {
        var order = IdleOrder()
        let joined = [order.append(5, at: 1), order.append(5, at: 2)]
        #expect(joined == [true, false])
        #expect(order.count == 1)
        let left = [order.remove(4), order.remove(1_000), order.remove(5)]
        #expect(left == [false, false, true])
        #expect(order.oldest == .max)
    }
}

@Suite("Connections that give way") struct GivingWayTests {
    @Test("are those of the own loop where no other loop has one that has idled much longer, or any")
    func ownLoop() {
        #expect(ClientPlaces.isAsOld(5_000, as: .max))
        #expect(ClientPlaces.isAsOld(5_000, as: 5_000))
        #expect(ClientPlaces.isAsOld(5_000, as: 4_000))
        #expect(!ClientPlaces.isAsOld(5_000, as: 3_999))
        #expect(!ClientPlaces.isAsOld(.max - 1, as: 0))
    }

    @Test("are asked for by whoever might have the last place, and by nobody who has the share of a client")
    func last() {
        let clients = ClientConnections()
        let peer = SocketAddress(ipv4: 0x0A00_0001, port: 1)
        for held in 0..<20 {
            #expect(clients.mayHaveLast(peer.clientNetwork) == (held < 7))
            #expect(clients.take(peer, left: 10) == .served)
        }
    }
}

@Suite("Connections of clients") struct ClientConnectionsTests {
    private let peer = SocketAddress(ipv4: 0x0A00_0001, port: 1)

    @Test("wait beyond the client's share, and count again once there are more places")
    func share() {
        let clients = ClientConnections()
        for left in [10, 9, 8] { #expect(clients.take(peer, left: left) == .served) }
        #expect(clients.take(peer, left: 1) == .served)
        for _ in 0..<3 { #expect(clients.take(peer, left: 1) == .served) }
        #expect(clients.take(peer, left: 1) == .beyondShare)
        #expect(clients.take(peer, left: 2) == .served)
        clients.give(peer)
        clients.give(peer)
        #expect(clients.take(peer, left: 1) == .served)
    }

    @Test("of one IPv6 network are one client's, and trusted proxies have any number")
    func networks() {
        let clients = ClientConnections(exempt: [([192, 0, 2, 0], 24)])
        for host in UInt16(1)...7 {
            let address = SocketAddress(numeric: "2001:db8:1:2::\(host)", port: host) ?? peer
            #expect(clients.take(address, left: 1) == .served)
        }
        #expect(clients.take(SocketAddress(numeric: "2001:db8:1:2:9::9", port: 9) ?? peer, left: 1) == .beyondShare)
        #expect(clients.take(SocketAddress(numeric: "2001:db8:1:3::9", port: 9) ?? peer, left: 1) == .served)
        for _ in 0..<100 { #expect(clients.take(SocketAddress(ipv4: 0xC000_0207, port: 7), left: 1) == .exempt) }
    }

    @Test("are refused beyond twice a limit, however large that is", arguments: [1, 3, Int.max])
    func limit(_ limit: Int) {
        let clients = ClientConnections(limit: limit)
        let count = min(limit, 50)
        for _ in 0..<count { #expect(clients.take(peer, left: 1_000_000) == .served) }
        guard limit < 50 else { return }
        for _ in 0..<limit { #expect(clients.take(peer, left: 1_000_000) == .crowded) }
        #expect(clients.take(peer, left: 1_000_000) == .refused)
    }
}
