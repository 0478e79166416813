// SPDX-License-Identifier: Apache-2.0
import Engine
import Settings
import Testing

@testable import Upstream

@Suite("A fair share") struct ClientShareTests {
    /// What each of `clients` greedy clients has when none may have more, and what is free then.
    private func fill(_ share: ClientShare, limit: Int, clients: Int) -> (held: [Int], free: Int) {
        var held = [Int](repeating: 0, count: clients)
        var isGrowing = true
        while isGrowing {
            isGrowing = false
            for client in held.indices
            where share.room(used: held.reduce(0, +), limit: limit, held: held[client]) == .free {
                held[client] += 1
                isGrowing = true
            }
        }
        return (held, limit - held.reduce(0, +))
    }

    @Test("leaves room for a newcomer, however many greedy clients there are, until there are as many as places")
    func newcomer() {
        let share = ClientShare(percent: 75)
        #expect(fill(share, limit: 1_024, clients: 1) == ([768], 256))
        for clients in [2, 3, 10, 100, 300] {
            let (held, free) = fill(share, limit: 1_024, clients: clients)
            #expect(free > 0)
            #expect(share.room(used: 1_024 - free, limit: 1_024, held: 0) == .free)
            // The greedy ones have as much as each other.
            #expect((held.max() ?? 0) - (held.min() ?? 0) <= 1)
        }
    }

    @Test("is all of it for one client at 100 %, and where there is hardly anything to share")
    func whole() {
        #expect(fill(ClientShare(percent: 100), limit: 64, clients: 1).free == 0)
        for limit in 1...3 { #expect(fill(ClientShare(percent: 75), limit: limit, clients: 1).free == 0) }
        #expect(fill(ClientShare(percent: 75), limit: 4, clients: 1) == ([3], 1))
        #expect(fill(ClientShare(percent: 75), limit: 0, clients: 1).held == [0])
    }

    @Test("tells who has its share from there being nothing left")
    func kinds() {
        let share = ClientShare(percent: 50)
        #expect(share.room(used: 10, limit: 10, held: 0) == .full)
        #expect(share.room(used: 8, limit: 10, held: 2) == .overShare)
        #expect(share.room(used: 8, limit: 10, held: 1) == .free)
        #expect(share.room(used: 11, limit: 10, held: 1) == .full)
    }

    @Test("counts each client by itself, IPv6 by its network, and forgets what is given back")
    func counting() {
        let counts = ClientCounts()
        let clients = (0..<50).map { Claimant(SocketAddress(ipv4: 0x0A00_0000 + UInt32($0), port: 1)) }
        for (index, client) in clients.enumerated() { for _ in 0...index { counts.take(client) } }
        for (index, client) in clients.enumerated() { #expect(counts.held(by: client) >= index + 1) }
        for (index, client) in clients.enumerated() { for _ in 0...index { counts.give(client) } }
        for client in clients { #expect(counts.held(by: client) == 0) }
        func address(_ last: UInt8, _ network: UInt8) -> Claimant? {
            SocketAddress(bytes: [32, 1, 13, 184, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, last], port: 1).map(
                Claimant.init)
        }
        #expect(address(1, 0) == address(2, 0))
        #expect(address(1, 0) != address(1, 1))
    }

    @Test("of a server's places and tunnels is one client's, whatever another has of them")
    func claims() {
        let server = servers([1])[0]
        let (greedy, other) = (Claimant(network: 1), Claimant(network: 2))
        func claim(_ client: Claimant, tunnel: Bool = false) -> PlaceClaim {
            PlaceClaim(client, wantsTunnel: tunnel, places: 8, tunnels: 4, share: ClientShare(percent: 75))
        }
        for _ in 0..<6 {
            #expect(claim(greedy).room(at: server) == .free)
            #expect(server.takeConnection(limit: 8))
            server.places.take(greedy)
        }
        #expect(claim(greedy).room(at: server) == .overShare)
        #expect(claim(other).room(at: server) == .free)
        for _ in 0..<3 {
            #expect(claim(greedy).tunnelRoom(at: server) == .free)
            #expect(server.becomeTunnel(limit: 4))
            server.places.give(greedy)
            server.tunnels.take(greedy)
        }
        #expect([server.placesInUse, server.tunnelCount, server.inFlight] == [3, 3, 6])
        #expect(claim(greedy).room(at: server) == .free)
        #expect(claim(greedy, tunnel: true).room(at: server) == .overShare)
        #expect(claim(other, tunnel: true).room(at: server) == .free)
        #expect(server.becomeTunnel(limit: 4))
        #expect(!server.becomeTunnel(limit: 4))
        #expect(claim(other, tunnel: true).room(at: server) == .full)
        for _ in 0..<4 { server.giveTunnel() }
        #expect(server.tunnelCount == 0)
    }
}

@Suite("The queue for places") struct FairQueueTests {
    private typealias Queue = FairQueue<String>

    private func queue(_ limit: Int = 100, percent: Int = 100) -> Queue {
        Queue(limit: limit, share: ClientShare(percent: percent))
    }

    /// Offers places until `places` are taken, by `outcome`, and returns who was asked.
    private func serve(_ queue: inout Queue, _ outcome: (String) -> PlaceOffer) -> (asked: [String], turn: Queue.Turn) {
        var turn = queue.beginTurn()
        var asked: [String] = []
        while let (ticket, element) = queue.next(&turn) {
            asked.append(element)
            queue.settle(ticket, outcome(element), &turn)
        }
        return (asked, turn)
    }

    @discardableResult
    private func enter(
        _ queue: inout Queue, _ name: String, client: UInt32, isNewcomer: Bool = true, isHeldBack: Bool = false,
        deadline: UInt64 = 10
    ) -> Queue.Ticket? {
        queue.enter(name, client: client, isNewcomer: isNewcomer, isHeldBack: isHeldBack, deadline: deadline)
    }

    @Test("serves clients in turn, and each one's requests in the order they came")
    func turns() {
        var queue = queue()
        for number in 0..<4 { enter(&queue, "a\(number)", client: 1) }
        for number in 0..<2 { enter(&queue, "b\(number)", client: 2) }
        enter(&queue, "c0", client: 3)
        #expect(serve(&queue) { _ in .served }.asked == ["a0", "b0", "c0", "a1", "b1", "a2", "a3"])
        #expect(queue.count == 0 && queue.crowd == 0)
    }

    @Test("stops at the first who may go anywhere and finds no room, and begins there again")
    func full() {
        var queue = queue()
        for name in ["a", "b", "c"] { enter(&queue, name, client: UInt32(name.utf8.first ?? 0)) }
        var places = 1
        func outcome(_: String) -> PlaceOffer {
            places -= 1
            return places >= 0 ? .served : .full
        }
        let first = serve(&queue, outcome)
        #expect(first.asked == ["a", "b"])
        #expect(first.turn.isFull && first.turn.isServed)
        #expect(queue.crowd == 2)
        places = 9
        #expect(serve(&queue, outcome).asked == ["b", "c"])
    }

    @Test("passes over a client that has its share, asks it once, and does not count it as waiting for room")
    func heldBack() {
        var queue = queue()
        for number in 0..<5 { enter(&queue, "a\(number)", client: 1, isHeldBack: true) }
        #expect(queue.crowd == 0)
        enter(&queue, "b", client: 2)
        #expect(queue.crowd == 1)
        let round = serve(&queue) { $0 == "b" ? .served : .overShare }
        #expect(round.asked == ["a0", "b"])
        #expect(!round.turn.isFull)
        #expect(queue.count == 5 && queue.crowd == 0)
        // One place more for it does not make the others wait for room that there is.
        var places = 1
        let next = serve(&queue) { _ in
            places -= 1
            return places >= 0 ? .served : .overShare
        }
        #expect(next.asked == ["a0", "a1"])
        #expect(queue.count == 4 && queue.crowd == 0)
        // Once there is no room for anybody, they count.
        #expect(serve(&queue) { _ in .full }.asked == ["a1"])
        #expect(queue.crowd == 4)
    }

    @Test("leaves the room there is to those behind one that may not go everywhere")
    func choosy() {
        var queue = queue()
        enter(&queue, "a0", client: 1, isNewcomer: false)
        enter(&queue, "a1", client: 1)
        enter(&queue, "b0", client: 2, isNewcomer: false)
        #expect(queue.crowd == 1)
        #expect(serve(&queue) { $0 == "a1" ? .served : .full }.asked == ["a0", "a1", "b0"])
        #expect(queue.count == 2 && queue.crowd == 0)
    }

    @Test("refuses more than its limit, and of one client more than its share, while others still come in")
    func limits() {
        var queue = queue(8, percent: 75)
        for number in 0..<6 { #expect(enter(&queue, "a\(number)", client: 1) != nil) }
        #expect(enter(&queue, "a6", client: 1) == nil)
        #expect(enter(&queue, "b", client: 2) != nil)
        #expect(enter(&queue, "c", client: 3) != nil)
        #expect(enter(&queue, "d", client: 4) == nil)
        var none = self.queue(0)
        #expect(enter(&none, "a", client: 1) == nil)
    }

    @Test("lets requests go in any order, and those whose time has come, the oldest first")
    func leaving() {
        var queue = queue()
        var tickets: [Queue.Ticket] = []
        for number in 0..<6 {
            let ticket = enter(&queue, "\(number)", client: UInt32(number % 2), deadline: UInt64(number))
            if let ticket { tickets.append(ticket) }
        }
        #expect(queue.leave(tickets[3]) == "3")
        #expect(queue.leave(tickets[3]) == nil)
        #expect(queue.leave(tickets[0]) == "0")
        // Its place in the table is another's now.
        let new = enter(&queue, "6", client: 9, deadline: 6)
        #expect(queue.leave(tickets[0]) == nil)
        #expect(queue.expire(at: 0) == nil)
        var expired: [String] = []
        while let element = queue.expire(at: 4) { expired.append(element) }
        #expect(expired == ["1", "2", "4"])
        #expect(serve(&queue) { _ in .served }.asked == ["5", "6"])
        #expect(new.map { queue.leave($0) } == .some(nil))
        #expect(queue.count == 0 && queue.crowd == 0)
    }

    @Test("keeps its order when requests leave and come while they are offered a place")
    func reentrance() {
        var queue = queue()
        let first = enter(&queue, "a", client: 1)
        let second = enter(&queue, "b", client: 1)
        var turn = queue.beginTurn()
        guard let (ticket, element) = queue.next(&turn), let first, let second else {
            Issue.record("nobody is offered anything")
            return
        }
        #expect(element == "a" && ticket == first)
        // It leaves by itself, the next one too, and another comes in their places.
        queue.leave(first)
        queue.leave(second)
        enter(&queue, "c", client: 2)
        queue.settle(ticket, .served, &turn)
        #expect(queue.count == 1)
        #expect(serve(&queue) { _ in .served }.asked == ["c"])
    }

    @Test("asks a bounded number in one turn, and others in the next")
    func bounded() {
        var queue = queue(10_000)
        for client in 0..<200 { enter(&queue, "\(client)", client: UInt32(client)) }
        var asked: Set<String> = []
        for _ in 0..<4 {
            let round = serve(&queue) { _ in .overShare }
            #expect(round.asked.count <= Queue.offersInTurn)
            asked.formUnion(round.asked)
        }
        #expect(asked.count == 200)
    }
}

@Suite("Patience with a response's head") struct HeadPatienceTests {
    private func owed(_ patience: HeadPatience) -> HeadPatience.Owed { patience.owed(firstByte: 100, head: 10) }

    @Test("begins when the request is sent, and again with the first byte, whatever follows")
    func head() {
        var patience = HeadPatience()
        #expect(owed(patience) == .nothing)
        patience.requestSent(at: 5)
        patience.requestSent(at: 50)
        #expect(owed(patience) == .firstByte(by: 105))
        patience.headGrew(at: 60)
        patience.headGrew(at: 69)
        #expect(owed(patience) == .rest(by: 70))
    }

    @Test("is not prolonged by interim responses")
    func interim() {
        var patience = HeadPatience()
        patience.requestSent(at: 0)
        for time in stride(from: UInt64(10), to: 100, by: 10) {
            patience.headGrew(at: time)
            patience.interimEnded()
            #expect(owed(patience) == .firstByte(by: 100))
        }
        // One that comes before the request is complete says nothing of when the response is due.
        var early = HeadPatience()
        early.headGrew(at: 1)
        early.interimEnded()
        #expect(owed(early) == .nothing)
    }
}

@Suite("Choosing where there is room") struct RoomTests {
    private func claim(_ limit: Int, _ claimant: Claimant? = nil) -> PlaceClaim {
        PlaceClaim(claimant, wantsTunnel: false, places: limit, tunnels: 0, share: ClientShare(percent: 75))
    }

    private func pool(_ list: [UpstreamServer], _ method: Configuration.BalanceMethod) -> ServerPool {
        var settings = Configuration.PoolSettings()
        settings.balance.method = method
        return ServerPool(name: "p", servers: list, settings: settings)
    }

    @Test("finds it, however many servers are full", arguments: Configuration.BalanceMethod.allCases)
    func manyFull(_ method: Configuration.BalanceMethod) {
        let list = servers([Int](repeating: 1, count: 300))
        for index in list.indices where index != 137 { #expect(list[index].takeConnection(limit: 1)) }
        var balancer = Balancer(pool(list, method))
        for key in 0..<40 {
            let choice = balancer.choose(
                tried: TriedServers(), key: Maglev.hash(word: UInt64(key)), claim: claim(1))
            #expect(choice == .server(137))
        }
        #expect(list[137].takeConnection(limit: 1))
        #expect(balancer.choose(tried: TriedServers(), key: 1, claim: claim(1)) == .busy(.full))
    }

    @Test("goes to a backup server when the others are full, and says who is in the way when nobody has room")
    func backup() {
        let list = servers([1, 1, 1], backups: [2])
        var balancer = Balancer(pool(list, .roundRobin))
        for index in 0...1 { #expect(list[index].takeConnection(limit: 1)) }
        #expect(balancer.choose(tried: TriedServers(), claim: claim(1)) == .server(2))
        #expect(list[2].takeConnection(limit: 1))
        #expect(balancer.choose(tried: TriedServers(), claim: claim(1)) == .busy(.full))
        let greedy = Claimant(network: 1)
        for _ in 0..<3 { list[1].places.take(greedy) }
        for _ in 0..<2 { #expect(list[1].takeConnection(limit: 4)) }
        var tried = TriedServers()
        tried.insert(list[0])
        tried.insert(list[2])
        #expect(balancer.choose(tried: tried, claim: claim(4, greedy)) == .busy(.overShare))
        #expect(balancer.choose(tried: tried, claim: claim(4, Claimant(network: 2))) == .server(1))
        tried.insert(list[1])
        #expect(balancer.choose(tried: tried, claim: claim(4)) == .nobody)
    }
}
