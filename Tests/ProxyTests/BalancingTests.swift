// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("Balancing") struct BalancingTests {
    @Test("is even over all loops")
    func even() throws {
        let origins = (0..<3).map { ScriptedServer.answering(ok("\($0)")) }
        let gateway = try RunningGateway(upstreams: origins.map(\.port), workers: 2)
        let clients = (0..<6).map { _ in gateway.connect() }
        for _ in 0..<10 {
            for client in clients {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(!client.receiveMessage().body.isEmpty)
            }
        }
        #expect(origins.map(\.requests.count) == [20, 20, 20])
        #expect(gateway.log().count == 60)
    }

    @Test("follows the weights")
    func weights() throws {
        let origins = (0..<3).map { ScriptedServer.answering(ok("\($0)")) }
        let gateway = try RunningGateway(upstreams: origins.map(\.port)) {
            for (index, weight) in [5, 3, 2].enumerated() { $0.pools[0].servers[index].weight = weight }
        }
        let client = gateway.connect()
        for _ in 0..<20 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = client.receiveMessage()
        }
        #expect(origins.map(\.requests.count) == [10, 6, 4])
    }

    @Test("keeps to the connections a server may have, and says 503 beyond them")
    func connectionLimit() throws {
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            $0.limits.connectionsPerUpstream = 1
            $0.pools[0].settings.queue = 0
        }
        let first = gateway.connect()
        first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually { !origin.requests.isEmpty }
        let answer = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("Retry-After: 1\r\n"))
        first.reset()
    }

    @Test("does not count connections that idle on other loops against a server")
    func idleElsewhere() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], workers: 2) { $0.limits.connectionsPerUpstream = 1 }
        for _ in 0..<30 { #expect(gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").hasSuffix("x")) }
    }
}
