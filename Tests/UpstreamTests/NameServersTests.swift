// SPDX-License-Identifier: Apache-2.0
import Bytes
import Engine
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Upstream

@Suite("Asking name servers") struct NameServersTests {
    private func servers(_ list: [NameServer], timeout: Int = 5_000, rounds: Int = 1) -> NameServers {
        NameServers(
            addresses: list.map { SocketAddress(ipv4: 0x7F00_0001, port: $0.port) }, timeout: timeout, rounds: rounds)
    }

    private func ask(_ servers: NameServers, _ text: String = "app.test") throws -> DNSAnswer {
        try servers.ask(DNSQuestion(name: try #require(DNSName(text)), kind: .a))
    }

    @Test("gives what they answer, and each question has a port of its own")
    func plain() throws {
        let server = NameServer()
        server.set("app.test", .addresses([0x7F00_0002, 0x7F00_0003], ttl: 12))
        for _ in 0..<8 {
            let answer = try ask(servers([server]))
            #expect(answer.addresses == [[127, 0, 0, 2], [127, 0, 0, 3]])
            #expect(answer.lifetime == 12)
        }
        #expect(Set(server.ports).count > 1)
        #expect(try ask(servers([server]), "other.test").code == 3)
    }

    @Test("takes no answer to another question")
    func forgeries() throws {
        let server = NameServer()
        server.set("app.test", .afterForgeries(.addresses([0x7F00_0002], ttl: 12)))
        #expect(try ask(servers([server])).addresses == [[127, 0, 0, 2]])
    }

    @Test("comes back through TCP for an answer that does not fit")
    func truncated() throws {
        let server = NameServer()
        let many = (0..<200).map { 0x7F00_0100 + UInt32($0) }
        server.set("app.test", .truncated(.addresses(many, ttl: 12)))
        #expect(try ask(servers([server])).addresses.count == 200)
        server.set("app.test", .truncated(.silence))
        #expect(throws: LookupFailure.self) { try ask(servers([server])) }
    }

    @Test("asks the next when one fails, and again when all did")
    func next() throws {
        let (bad, silent, good) = (NameServer(), NameServer(), NameServer())
        bad.set("app.test", .code(2))
        silent.set("app.test", .silence)
        good.set("app.test", .addresses([0x7F00_0002], ttl: 12))
        #expect(try ask(servers([bad, good])).addresses.count == 1)
        #expect(try ask(servers([silent, good], timeout: 50)).addresses.count == 1)
        let port = bad.port
        #expect(
            throws: LookupFailure(reason: "the name server 127.0.0.1:\(port) answers that it failed (SERVFAIL)")
        ) { try ask(servers([silent, bad], timeout: 50, rounds: 2)) }
        #expect(bad.questions.count == 3)
        #expect(throws: LookupFailure(reason: "there is no name server to ask")) { try ask(servers([])) }
    }
}

@Suite("Following a name") struct FollowedNameTests {
    private let reports = Reports()

    private final class Reports: Sendable {
        let sentences = Lock<[String]>([])
        func take() -> [String] {
            sentences.withLock { sentences in
                defer { sentences = [] }
                return sentences
            }
        }
    }

    private func follow(_ host: String, port: UInt16 = 80) -> FollowedName {
        let reports = reports
        return FollowedName(
            .init(host: host, port: port, weight: 3),
            report: { text in reports.sentences.withLock { $0.append(text) } },
            makeSecurity: { nil })
    }

    private func resolver(_ server: NameServer, timeout: Int = 5_000) -> NameResolver {
        NameResolver(
            servers: NameServers(
                addresses: [SocketAddress(ipv4: 0x7F00_0001, port: server.port)], timeout: timeout, rounds: 1))
    }

    private func addresses(_ servers: [UpstreamServer]) -> [String] {
        servers.map { $0.addresses.map(\.description).joined(separator: "|") }
    }

    @Test("keeps the servers that stay, adds those that come, takes out those that go, and says so")
    func changes() {
        let server = NameServer()
        server.set("app.test", .addresses([0x7F00_0002, 0x7F00_0003], ttl: 9))
        let name = follow("app.test")
        name.refresh(resolver(server), ceiling: 30_000)
        let before = name.servers
        #expect(addresses(before) == ["127.0.0.2:80", "127.0.0.3:80"])
        #expect(before.map(\.weight) == [3, 3])
        let pool = ServerPool(name: "p", servers: before)
        name.join(pool, given: before)
        #expect(reports.take().isEmpty)
        server.set("app.test", .addresses([0x7F00_0004, 0x7F00_0003], ttl: 9))
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(addresses(pool.servers) == ["127.0.0.3:80", "127.0.0.4:80"])
        #expect(pool.servers[0] === before[1])
        #expect(
            reports.take() == ["upstream http://app.test:80: the name has changed, 127.0.0.4:80 new, 127.0.0.2:80 gone"]
        )
        // The same in another order is no change.
        server.set("app.test", .addresses([0x7F00_0003, 0x7F00_0004], ttl: 9))
        let generation = pool.generation
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(pool.generation == generation)
        #expect(reports.take().isEmpty)
    }

    @Test("keeps the last answer while there is no other, says so once, and says when it is over")
    func failures() {
        let server = NameServer()
        server.set("app.test", .addresses([0x7F00_0002], ttl: 9))
        let name = follow("app.test")
        name.refresh(resolver(server), ceiling: 30_000)
        for reply in [NameServer.Reply.code(2), .code(3), .code(0)] {
            server.set("app.test", reply)
            name.refresh(resolver(server), ceiling: 30_000)
            #expect(addresses(name.servers) == ["127.0.0.2:80"])
        }
        #expect(
            reports.take() == [
                "upstream http://app.test:80: the name does not resolve: the name server 127.0.0.1:\(server.port) "
                    + "answers that it failed (SERVFAIL); going on with 127.0.0.2:80"
            ])
        server.set("app.test", .addresses([0x7F00_0002], ttl: 9))
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(reports.take() == ["upstream http://app.test:80: the name resolves again, to 127.0.0.2:80"])
    }

    @Test("one that does not resolve at the start has no server until it does")
    func late() {
        let server = NameServer()
        let name = follow("app.test")
        name.refresh(resolver(server), ceiling: 30_000)
        let pool = ServerPool(name: "p", servers: [])
        name.join(pool, given: [])
        #expect(
            reports.take() == [
                "upstream http://app.test:80: the name does not resolve: it has no address; it has no server until it does"
            ])
        server.set("app.test", .addresses([0x7F00_0002], ttl: 9))
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(addresses(pool.servers) == ["127.0.0.2:80"])
    }

    @Test("what changes before the pool is there is not lost")
    func early() {
        let server = NameServer()
        server.set("app.test", .addresses([0x7F00_0002], ttl: 9))
        let name = follow("app.test")
        name.refresh(resolver(server), ceiling: 30_000)
        let given = name.servers
        server.set("app.test", .addresses([0x7F00_0003], ttl: 9))
        name.refresh(resolver(server), ceiling: 30_000)
        let pool = ServerPool(name: "p", servers: given)
        name.join(pool, given: given)
        #expect(addresses(pool.servers) == ["127.0.0.3:80"])
    }

    @Test("SRV records name hosts, ports, weights and backups")
    func services() {
        let server = NameServer()
        server.set(
            "_http._tcp.app.test", kind: "SRV",
            .services(
                [(10, 2, 8_001, "a.app.test"), (10, 1, 8_002, "b.app.test"), (20, 1, 8_003, "a.app.test")], ttl: 9))
        server.set("a.app.test", .addresses([0x7F00_0002], ttl: 9))
        server.set("b.app.test", .addresses([0x7F00_0003, 0x7F00_0004], ttl: 9))
        let name = follow("_http._tcp.app.test")
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(
            addresses(name.servers) == ["127.0.0.2:8001", "127.0.0.3:8002", "127.0.0.4:8002", "127.0.0.2:8003"])
        #expect(name.servers.map(\.weight) == [2, 1, 1, 1])
        #expect(name.servers.map(\.isBackup) == [false, false, false, true])
        #expect(name.servers.map(\.authority).first == "a.app.test:8001")
        server.set("_http._tcp.app.test", kind: "SRV", .code(2))
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(name.servers.count == 4)
        server.set("_http._tcp.app.test", kind: "SRV", .services([(10, 2, 8_001, "a.app.test")], ttl: 9))
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(addresses(name.servers) == ["127.0.0.2:8001"])
    }

    @Test("SRV records of which none can be used do not empty a pool: the former ones stay, and that is said")
    func unusableServices() {
        let server = NameServer()
        server.set("_http._tcp.app.test", kind: "SRV", .services([(10, 2, 8_001, "a.app.test")], ttl: 9))
        server.set("a.app.test", .addresses([0x7F00_0002], ttl: 9))
        let name = follow("_http._tcp.app.test")
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(addresses(name.servers) == ["127.0.0.2:8001"])
        server.set("_http._tcp.app.test", kind: "SRV", .services([(10, 2, 0, "b.app.test")], ttl: 9))
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(addresses(name.servers) == ["127.0.0.2:8001"])
        #expect(
            reports.take() == [
                "upstream http://_http._tcp.app.test:80: the name does not resolve: no SRV record of it names a server; "
                    + "going on with 127.0.0.2:8001"
            ])
    }

    @Test("more servers than a name may stand for are left out")
    func many() {
        let server = NameServer()
        server.set("app.test", .truncated(.addresses((0..<300).map { 0x7F00_0100 + UInt32($0) }, ttl: 9)))
        let name = follow("app.test")
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(name.servers.count == FollowedName.serverLimit)
    }

    @Test("localhost is this machine, whatever a name server says")
    func localhost() {
        let server = NameServer()
        server.set("localhost", .addresses([0xCB00_7101], ttl: 9))
        let name = follow("localhost")
        name.refresh(resolver(server), ceiling: 30_000)
        #expect(server.questions.isEmpty)
        #expect(name.servers.allSatisfy { $0.addresses.allSatisfy { ["127.0.0.1", "::1"].contains($0.host) } })
    }
}
