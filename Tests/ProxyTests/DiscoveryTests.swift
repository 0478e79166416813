// SPDX-License-Identifier: Apache-2.0
import Bytes
import Settings
import Synchronization
import TestSupport
import Testing
import Foundation

@Suite("Names of upstream servers") struct DiscoveryTests {
    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    private func gateway(
        _ names: NameServer, _ servers: [Configuration.Server], workers: Int = 1
    ) throws -> RunningGateway {
        try RunningGateway(upstreams: [], workers: workers) {
            $0.pools = [.init(name: "default", servers: servers)]
            $0.discovery.resolvers = [.init(address: "127.0.0.1", port: names.port)]
        }
    }

    @Test("traffic moves to new addresses without a failed request, and what runs on an old one ends in peace")
    func move() throws {
        let old = ScriptedServer(host: 0x7F00_0002) { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                if head.hasPrefix("GET /slow") {
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslow")
                    eventually { server.requests.contains("go on") }
                    peer.send("done")
                } else if !peer.send(ok("old")) {
                    return
                }
            }
        }
        let new = ScriptedServer.answering(ok("new"), host: 0x7F00_0003, port: old.port)
        let names = NameServer()
        names.set("app.test", .addresses([0x7F00_0002], ttl: 1))
        let gateway = try gateway(names, [.init(host: "app.test", port: old.port)], workers: 2)
        #expect(gateway.exchange(request).hasSuffix("old"))
        let slow = gateway.connect()
        slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(slow.receiveHead().hasPrefix("HTTP/1.1 200 "))

        let bodies = Lock<[String]>([])
        let isOver = Atomic<Bool>(false)
        let group = DispatchGroup()
        let (port, request) = (gateway.port, request)
        for _ in 0..<3 {
            group.enter()
            Thread.detachNewThread {
                let client = Peer(port: port)
                while !isOver.load(ordering: .relaxed) {
                    client.send(request)
                    let message = client.receiveMessage()
                    bodies.withLock { $0.append(message.body) }
                }
                group.leave()
            }
        }
        names.set("app.test", .addresses([0x7F00_0003], ttl: 1))
        eventually { bodies.withLock { $0.suffix(20).count { $0 == "new" } } == 20 }
        isOver.store(true, ordering: .relaxed)
        group.wait()
        let seen = bodies.withLock { $0 }
        #expect(seen.allSatisfy { $0 == "old" || $0 == "new" })
        #expect(seen.last == "new")
        #expect(seen.contains("old"))
        #expect(!new.requests.isEmpty)
        old.note("go on")
        #expect(slow.receive(count: 8) == "slowdone")
        #expect(gateway.reports.contains { $0.contains("127.0.0.3:\(old.port) new, 127.0.0.2:\(old.port) gone") })
    }

    @Test("one that does not resolve does no harm to the others, and joins when it does")
    func unresolvable() throws {
        let good = ScriptedServer.answering(ok("good"))
        let late = ScriptedServer.answering(ok("late"), host: 0x7F00_0004)
        let names = NameServer()
        let gateway = try gateway(
            names, [.init(host: "late.test", port: late.port), .init(host: "127.0.0.1", port: good.port)])
        for _ in 0..<4 { #expect(gateway.exchange(request).hasSuffix("good")) }
        #expect(
            gateway.reports.contains { $0.contains("late.test") && $0.contains("does not resolve: it has no address") })
        names.set("late.test", .addresses([0x7F00_0004], ttl: 1))
        eventually { gateway.exchange(request).hasSuffix("late") }
        #expect(!late.requests.isEmpty)
    }

    @Test("a pool whose names all do not resolve says 503, and serves as soon as one does")
    func alone() throws {
        let origin = ScriptedServer.answering(ok("x"), host: 0x7F00_0005)
        let names = NameServer()
        let gateway = try gateway(names, [.init(host: "late.test", port: origin.port)])
        #expect(gateway.exchange(request).hasPrefix("HTTP/1.1 503 "))
        names.set("late.test", .addresses([0x7F00_0005], ttl: 1))
        eventually { gateway.exchange(request).hasSuffix("x") }
        #expect(gateway.exchange(request).hasSuffix("x"))
    }
}
