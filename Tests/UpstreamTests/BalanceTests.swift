// SPDX-License-Identifier: Apache-2.0
import Bytes
import Engine
import Settings
import Testing

@testable import Upstream

private func pool(_ servers: [UpstreamServer], _ method: Configuration.BalanceMethod) -> ServerPool {
    var settings = Configuration.PoolSettings()
    settings.balance.method = method
    return ServerPool(name: "p", servers: servers, settings: settings)
}

extension Balancer {
    /// The server whose turn it is, where every server has room.
    mutating func next(tried: TriedServers, key: UInt64? = nil) -> Int? {
        if case .server(let index) = choose(tried: tried, key: key, claim: .unlimited) { return index }
        return nil
    }
}

/// Servers on ports 1, 2, …
func servers(_ weights: [Int], backups: Set<Int> = []) -> [UpstreamServer] {
    weights.enumerated().map { index, weight in
        UpstreamServer(
            .init(host: "127.0.0.1", port: UInt16(index + 1), weight: weight, isBackup: backups.contains(index)),
            addresses: [SocketAddress(ipv4: 0x7F00_0001, port: UInt16(index + 1))])
    }
}

@Suite("Consistent hashing") struct MaglevTests {
    private func names(_ count: Int) -> [[UInt8]] { (0..<count).map { Array("192.0.2.\($0):80".utf8) } }

    @Test("shares the keys out by weight")
    func shares() {
        let table = Maglev(names: names(4), weights: [1, 2, 0, 5])
        var counts = [0, 0, 0, 0]
        for slot in table.slots { counts[Int(slot)] += 1 }
        #expect(counts[2] == 0)
        for (index, part) in [(0, 1), (1, 2), (3, 5)] {
            #expect(abs(counts[index] * 8 - part * Maglev.size) <= 8 * 8)
        }
    }

    @Test("moves at most its own keys and a twentieth of the others when a server leaves", arguments: [3, 5, 10, 50])
    func leaving(_ count: Int) {
        let names = names(count)
        let before = Maglev(names: names, weights: [Int](repeating: 1, count: count)).slots
        for gone in [0, count / 2, count - 1] {
            var weights = [Int](repeating: 1, count: count)
            weights[gone] = 0
            let after = Maglev(names: names, weights: weights).slots
            let moved = zip(before, after).count { $0 != $1 }
            #expect(moved * 100 <= Maglev.size * 100 / count + 5 * Maglev.size)
            #expect(moved * count >= Maglev.size - count)
        }
    }

    @Test("depends on the servers alone, not on their order, and not on who left and came back")
    func order() {
        let names = names(7)
        let table = Maglev(names: names, weights: [1, 2, 3, 4, 5, 6, 7]).slots
        #expect(Maglev(names: names, weights: [1, 2, 3, 4, 5, 6, 7]).slots == table)
        let key = Maglev.hash(Array("/some/path".utf8).span)
        let without = Maglev(names: Array(names[1...]), weights: [2, 3, 4, 5, 6, 7])
        let zero = Maglev(names: names, weights: [0, 2, 3, 4, 5, 6, 7])
        #expect(zero.pick(key) { _ in true } == without.pick(key) { _ in true }.map { $0 + 1 })
    }

    @Test("goes on to others when a server may take no more, and to nobody when none may")
    func full() {
        let table = Maglev(names: names(4), weights: [1, 1, 1, 1])
        var taken = [0, 0, 0, 0]
        for number in 0..<2_000 {
            let key = Maglev.hash(word: UInt64(number))
            guard let first = table.pick(key, mayTake: { _ in true }) else { continue }
            guard first == 0 else { continue }
            // The keys of one full server spread over all the others.
            if let next = table.pick(key, mayTake: { $0 != 0 }) { taken[next] += 1 }
        }
        #expect(taken[0] == 0)
        for index in 1..<4 { #expect(taken[index] * 5 > taken.reduce(0, +)) }
        #expect(table.pick(1) { _ in false } == nil)
        #expect(Maglev(names: [], weights: []).pick(1) { _ in true } == nil)
        #expect(Maglev(names: names(1), weights: [0]).slots.isEmpty)
    }

    @Test("never gives a server more than a quarter above its share")
    func bound() {
        #expect(BoundedLoad.limit(total: 100, weight: 1, weights: 4) == 32)
        #expect(BoundedLoad.limit(total: 100, weight: 2, weights: 4) == 63)
        #expect(BoundedLoad.limit(total: 0, weight: 1, weights: 100) == BoundedLoad.least)
        #expect(BoundedLoad.limit(total: .max, weight: 256, weights: 256) == .max)
        #expect(BoundedLoad.limit(total: 5, weight: 1, weights: 0) == 5)
    }
}

@Suite("Choosing by load") struct LoadTests {
    private func take(_ server: UpstreamServer, _ count: Int) {
        for _ in 0..<count { #expect(server.takeConnection(limit: .max)) }
    }

    @Test("least-conn takes the server with the fewest requests for its weight, and equals in turn")
    func leastConnections() {
        let list = servers([1, 2, 1])
        var balancer = Balancer(pool(list, .leastConnections))
        var counts = [0, 0, 0]
        for _ in 0..<40 { if let index = balancer.next(tried: TriedServers()) { counts[index] += 1 } }
        #expect(counts == [10, 20, 10])
        take(list[0], 1)
        take(list[1], 1)
        #expect((0..<5).map { _ in balancer.next(tried: TriedServers()) } == [2, 2, 2, 2, 2])
        take(list[2], 5)
        #expect((0..<5).map { _ in balancer.next(tried: TriedServers()) } == [1, 1, 1, 1, 1])
        var tried = TriedServers()
        tried.insert(list[1])
        #expect(balancer.next(tried: tried) == 0)
    }

    @Test(
        "least-conn keeps a slow server from piling up",
        arguments: [Configuration.BalanceMethod.leastConnections, .powerOfTwo])
    func slowServer(_ method: Configuration.BalanceMethod) {
        // In every tick one request comes; two servers are done with theirs after 2 ticks, one after 200.
        let list = servers([1, 1, 1])
        var balancer = Balancer(pool(list, method))
        var ends: [(tick: Int, server: Int)] = []
        var highest = 0
        for tick in 0..<3_000 {
            for end in ends where end.tick <= tick { list[end.server].giveConnection(wasIdle: false) }
            ends.removeAll { $0.tick <= tick }
            guard let index = balancer.next(tried: TriedServers()) else { continue }
            take(list[index], 1)
            ends.append((tick + (index == 2 ? 200 : 2), index))
            highest = max(highest, list[2].inFlight)
        }
        // Round robin would have 66 of them wait there.
        #expect(highest <= 4)
    }

    @Test("p2c never takes the fuller one of its two, and follows the weights when all are equal")
    func powerOfTwo() {
        let list = servers([3, 1])
        var balancer = Balancer(pool(list, .powerOfTwo))
        var counts = [0, 0]
        for _ in 0..<8_000 { if let index = balancer.next(tried: TriedServers()) { counts[index] += 1 } }
        #expect(counts[0] > 5_600 && counts[0] < 6_400)
        take(list[0], 8)
        var tried = TriedServers()
        tried.insert(list[1])
        #expect(balancer.next(tried: tried) == 0)
        let alone = servers([1])
        var single = Balancer(pool(alone, .powerOfTwo))
        #expect(single.next(tried: TriedServers()) == 0)
    }

    @Test("random pairs are pairs, and every one comes")
    func pairs() {
        var random = LoopRandom(seed: 7)
        var seen: Set<[Int]> = []
        for _ in 0..<500 {
            let (first, second) = random.pair(below: 4)
            #expect(first != second && (0..<4).contains(first) && (0..<4).contains(second))
            seen.insert([first, second])
        }
        #expect(seen.count == 12)
        for _ in 0..<50 { #expect(Set([random.pair(below: 2)].flatMap { [$0.0, $0.1] }) == [0, 1]) }
    }

    @Test("hash keeps a key on its server until that has too much, passes it over once tried, and needs no key")
    func hash() {
        let list = servers([1, 1, 1, 1])
        let shared = pool(list, .hash)
        var balancer = Balancer(shared)
        let key = Maglev.hash(Array("/a".utf8).span)
        guard let owner = balancer.next(tried: TriedServers(), key: key) else {
            Issue.record("no server")
            return
        }
        for _ in 0..<20 { #expect(balancer.next(tried: TriedServers(), key: key) == owner) }
        var tried = TriedServers()
        tried.insert(list[owner])
        #expect(balancer.next(tried: tried, key: key) != owner)
        // A few are always taken; with more, while all others idle, its share is exceeded.
        take(list[owner], BoundedLoad.least - 1)
        #expect(balancer.next(tried: TriedServers(), key: key) == owner)
        take(list[owner], 1)
        #expect(balancer.next(tried: TriedServers(), key: key) != owner)
        for index in list.indices where index != owner { take(list[index], BoundedLoad.least) }
        #expect(balancer.next(tried: TriedServers(), key: key) == owner)
        #expect(balancer.next(tried: TriedServers(), key: nil) != nil)
        // A server that drains gives its keys away, and has them back afterwards.
        shared.drain(list[owner], at: 0)
        balancer.refresh(at: 0)
        #expect(balancer.next(tried: TriedServers(), key: key) != owner)
        shared.undrain(list[owner], at: 0)
        balancer.refresh(at: 0)
        #expect(balancer.next(tried: TriedServers(), key: key) == owner)
    }
}

@Suite("The sticky cookie") struct StickyCookieTests {
    private func value(_ cookie: StickyCookie, _ name: String, isSecure: Bool = false) -> String {
        let block = Block(capacity: 256)
        cookie.appendSetCookie(cookie.token(for: Array(name.utf8)), isSecure: isSecure, to: block)
        return block.readable.string
    }

    @Test("is the same for a secret everywhere, another for every secret and server, and says nothing of the address")
    func tokens() {
        let cookie = StickyCookie(name: "srv", secret: "a secret of the operator")
        let same = StickyCookie(name: "srv", secret: "a secret of the operator")
        let text = value(cookie, "10.0.0.1:80")
        #expect(text == value(same, "10.0.0.1:80"))
        #expect(text.hasPrefix("srv=") && text.hasSuffix("; Path=/; HttpOnly; SameSite=Lax"))
        #expect(value(cookie, "10.0.0.1:80", isSecure: true).hasSuffix("; SameSite=Lax; Secure"))
        #expect(text.utf8.count - 3 <= StickyCookie.setCookieLimit)
        #expect(text != value(cookie, "10.0.0.2:80"))
        #expect(text != value(StickyCookie(name: "srv", secret: "another secret of his"), "10.0.0.1:80"))
        #expect(value(StickyCookie(name: "srv"), "a") != value(StickyCookie(name: "srv"), "a"))
    }

    @Test("is read as it was written, and as nothing else")
    func reading() {
        let cookie = StickyCookie(name: "srv")
        let text = Array(value(cookie, "a").utf8)
        let token = cookie.token(for: Array("a".utf8))
        let field = text.span.extracting(0..<20)
        let range = CookieReader.value(of: cookie.name.span, in: field)
        #expect(range == 4..<20)
        #expect(StickyCookie.token(field.extracting(4..<20)) == token)
        for wrong in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "0123456789ABCDEF"] {
            #expect(StickyCookie.token(Array(wrong.utf8).span) == nil)
        }
    }

    @Test(
        "is found among others",
        arguments: [
            ("a=1", "1"), ("b=2; a=1", "1"), ("a=1; a=2", "1"), ("aa=3;a=1", "1"), ("b=a=2;\ta=1 ;c", "1"),
            ("a=\"1\"", "1"), ("a=", ""), ("", nil), ("a", nil), ("b=2", nil), ("A=1", nil), ("; ;a", nil),
            ("a=\"", "\""),
        ])
    func found(_ field: String, _ expected: String?) {
        let bytes = Array(field.utf8)
        let range = CookieReader.value(of: Array("a".utf8).span, in: bytes.span)
        #expect(range.map { String(decoding: bytes[$0], as: UTF8.self) } == expected)
    }
}

@Suite("The connections of a server") struct ConnectionCountTests {
    @Test("are as many in use as the limit says, whether they are new or have idled")
    func limit() {
        let server = servers([1])[0]
        for _ in 0..<2 {
            #expect(server.takeConnection(limit: 1))
            #expect(!server.takeConnection(limit: 1))
            server.enterIdle()
        }
        #expect([server.connectionCount, server.idleCount, server.inFlight] == [2, 2, 0])
        #expect(server.reuseConnection(limit: 1))
        #expect(!server.reuseConnection(limit: 1))
        #expect(!server.takeConnection(limit: 1))
        #expect([server.connectionCount, server.idleCount, server.inFlight] == [2, 1, 1])
        server.giveConnection(wasIdle: true)
        #expect([server.connectionCount, server.idleCount, server.inFlight] == [1, 0, 1])
        server.giveConnection(wasIdle: false)
        #expect([server.connectionCount, server.idleCount, server.inFlight] == [0, 0, 0])
        #expect(server.takeConnection(limit: 1))
    }
}

@Suite("How long connections may idle") struct IdleAllowanceTests {
    @Test("is learned from a server that closes them, the shortest time counts, and it is forgotten after a while")
    func learning() {
        var allowance = IdleAllowance()
        #expect(allowance.limit(at: 0) == .max)
        allowance.closedIdle(after: 2_000, at: 0)
        #expect(allowance.limit(at: 0) == 1_500)
        allowance.closedIdle(after: 3_000, at: 50_000)
        #expect(allowance.limit(at: 50_000) == 1_500)
        #expect(allowance.limit(at: 50_000 + IdleAllowance.memory - 1) == 1_500)
        #expect(allowance.limit(at: 50_000 + IdleAllowance.memory) == .max)
        allowance.closedIdle(after: 4_000, at: 200_000)
        #expect(allowance.limit(at: 200_000) == 3_000)
        allowance.closedIdle(after: 3, at: 200_000)
        #expect(allowance.limit(at: 200_000) == IdleAllowance.floor)
    }
}
