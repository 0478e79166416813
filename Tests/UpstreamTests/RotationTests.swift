// SPDX-License-Identifier: Apache-2.0
import Engine
import Settings
import Testing

@testable import Upstream

@Suite("The rotation of servers") struct RotationTests {
    @Test("is smooth and exact over a cycle")
    func smooth() {
        #expect(Rotation(weights: [1, 1, 1]).order == [0, 1, 2])
        #expect(Rotation(weights: [5, 1, 1]).order == [0, 0, 1, 0, 2, 0, 0])
        #expect(Rotation(weights: [4, 2]).order == [0, 1, 0])
        #expect(Rotation(weights: [0, 3]).order == [1])
        #expect(Rotation(weights: [0, 0]).order == [])
        #expect(Rotation(weights: []).order == [])
        let order = Rotation(weights: [5, 3, 2]).order
        #expect([0, 1, 2].map { server in order.filter { $0 == server }.count } == [5, 3, 2])
        for index in 2..<order.count { #expect(Set(order[index - 2...index]).count > 1) }
    }

    private func pool(_ servers: [(weight: Int, backup: Bool)]) -> ServerPool {
        var settings = Configuration.PoolSettings()
        settings.check.isOn = false
        settings.slowStart = 0
        return ServerPool(
            name: "p",
            servers: servers.enumerated().map { index, server in
                UpstreamServer(
                    .init(host: "127.0.0.1", port: UInt16(index + 1), weight: server.weight, isBackup: server.backup),
                    addresses: [SocketAddress(ipv4: 0x7F00_0001, port: UInt16(index + 1))])
            }, settings: settings)
    }

    /// So many choices, as indices, with time and changes noticed as a loop does it.
    private func choices(_ count: Int, _ balancer: inout Balancer, at now: UInt64) -> [Int] {
        (0..<count).compactMap { _ in
            if balancer.isStale(at: now) { balancer.refresh(at: now) }
            return balancer.next(tried: TriedServers())
        }
    }

    @Test("passes over a server that refuses connections, evenly, and takes it back")
    func unreachable() {
        let pool = pool([(1, false), (1, false), (1, false)])
        var balancer = Balancer(pool)
        #expect(choices(3, &balancer, at: 1_000) == [0, 1, 2])
        pool.connectFailed(pool.servers[1], at: 1_000)
        let during = choices(10, &balancer, at: 1_001)
        #expect(during.filter { $0 == 0 }.count == 5)
        #expect(during.filter { $0 == 2 }.count == 5)
        #expect(Set(choices(3, &balancer, at: 2_000)) == [0, 1, 2])
    }

    @Test("has backup servers only when no other can be used, and nobody when none can be reached")
    func backups() {
        let pool = pool([(1, false), (1, true)])
        var balancer = Balancer(pool)
        #expect(choices(3, &balancer, at: 0) == [0, 0, 0])
        pool.connectFailed(pool.servers[0], at: 0)
        #expect(choices(3, &balancer, at: 1) == [1, 1, 1])
        pool.connectFailed(pool.servers[1], at: 1)
        #expect(choices(3, &balancer, at: 2) == [])
        #expect(choices(3, &balancer, at: 1_000) == [0, 0, 0])
    }

    @Test("never gives a request the same server twice")
    func tried() {
        var balancer = Balancer(pool([(3, false), (1, false), (1, true)]))
        var tried = TriedServers()
        var seen: [Int] = []
        while let index = balancer.next(tried: tried) {
            seen.append(index)
            tried.insert(balancer.members.list[index].server)
        }
        #expect(seen.sorted() == [0, 1, 2])
        #expect(seen.last == 2)
    }

    @Test("follows the operator: servers come, go, drain, and change their weights, and keep their identities")
    func membership() {
        let pool = pool([(1, false), (1, false)])
        var balancer = Balancer(pool)
        let servers = pool.servers
        pool.drain(servers[0], at: 0)
        #expect(choices(4, &balancer, at: 0) == [1, 1, 1, 1])
        pool.undrain(servers[0], at: 0)
        pool.setWeight(0, of: servers[1], at: 0)
        #expect(choices(4, &balancer, at: 0) == [0, 0, 0, 0])
        pool.setWeight(1, of: servers[1], at: 0)
        pool.remove(servers[0], at: 0)
        #expect(pool.servers.map(\.identity) == [servers[1].identity])
        #expect(choices(2, &balancer, at: 0) == [0, 0])
        pool.add(servers[0], at: 0)
        pool.add(servers[0], at: 0)
        #expect(pool.servers.map(\.identity) == [servers[1].identity, servers[0].identity])
        pool.remove(servers[0], at: 0)
        pool.remove(servers[1], at: 0)
        #expect(choices(1, &balancer, at: 0) == [])
    }

    @Test("takes an IPv6 and an IPv4 address for one server, and more addresses for as many servers")
    func groups() {
        let four = SocketAddress(ipv4: 0x7F00_0001, port: 1)
        let other = SocketAddress(ipv4: 0x7F00_0002, port: 1)
        guard let six = SocketAddress(numeric: "::1", port: 1) else { return }
        #expect(AddressGroups.of([six, four]) == [[six, four]])
        #expect(AddressGroups.of([four, other]) == [[four], [other]])
        #expect(AddressGroups.of([six, four, other]) == [[six], [four], [other]])
        #expect(AddressGroups.of([]) == [])
    }
}
