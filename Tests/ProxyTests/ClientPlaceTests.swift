// SPDX-License-Identifier: Apache-2.0
// Places for client connections: who gets one when there are few, and who gives one up.

import Settings
import TestSupport
import Testing

@Suite("Places for clients") struct ClientPlaceTests {
    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    /// A gateway that answers by itself, with so many places.
    private func answering(places: Int, workers: Int = 1, certificates: [TestCertificate] = []) throws -> RunningGateway
    {
        try RunningGateway(upstreams: [1], workers: workers, certificates: certificates) {
            $0.routes = [Configuration.Route(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
            $0.limits.connections = places
        }
    }

    @Test("the connection that has idled longest gives way to a client for whom there is no place")
    func longestIdle() throws {
        let gateway = try answering(places: 10)
        let idle = (0..<10).map { gateway.connect(from: UInt8(2 + $0 / 5)) }
        for client in idle {
            client.send(request)
            #expect(client.receiveMessage().body == "x")
        }
        // The first is not the longest idle one any more.
        idle[0].send(request)
        #expect(idle[0].receiveMessage().body == "x")
        let eleventh = gateway.connect()
        eleventh.send(request)
        #expect(eleventh.receiveMessage().body == "x")
        #expect(idle[1].isClosedByPeer())
        for client in [idle[0]] + idle[2...] {
            client.send(request)
            #expect(client.receiveMessage().body == "x")
        }
    }

    @Test("it does so on whatever loop it is", arguments: [2, 3])
    func otherLoops(_ workers: Int) throws {
        let gateway = try answering(places: 10, workers: workers)
        var clients: [Peer] = []
        // The kernel spreads connections over the loops, so most find the longest idle one on another.
        for index in 0..<60 {
            let client = gateway.connect(from: UInt8(2 + index % 3))
            client.send(request)
            #expect(client.receiveMessage().body == "x")
            clients.append(client)
        }
        #expect(gateway.openConnections <= 10)
    }

    @Test("one that has sent nothing yet gives way, too, also through TLS")
    func silent() throws {
        let gateway = try answering(places: 9, certificates: [localhost])
        let silent = (0..<9).map { gateway.connect(from: UInt8(2 + $0 / 3)) }
        #expect(gateway.waitForConnections(9))
        let client = gateway.connectSecurely()
        client.send(request)
        #expect(client.receiveMessage().body == "x")
        #expect(silent[0].isClosedByPeer())
    }

    @Test(
        "while somebody waits, connections that have had their turn end with their responses, and the place is handed on",
        arguments: [1, 2])
    func handedOn(_ workers: Int) throws {
        let origin = ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                eventually { server.requests.contains("go") }
                peer.send(ok("y"))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port], workers: workers) { $0.limits.connections = 4 }
        let first = (0..<4).map { _ in gateway.connect() }
        for client in first { client.send(request) }
        // Twice the time for which they keep their places (`ServingOptions.placeTurn`).
        let turn = ContinuousClock.now + .milliseconds(200)
        eventually { origin.requests.count >= 4 && ContinuousClock.now >= turn }
        let later = (0..<12).map { gateway.connect(from: UInt8(1 + $0 % 3)) }
        for client in later { client.send(request) }
        eventually { gateway.reports.contains { $0.contains("has to wait") } }
        origin.note("go")
        let heads = (first + later).map { $0.receiveMessage() }
        #expect(heads.allSatisfy { $0.body == "y" })
        #expect(heads.contains { $0.head.contains("Connection: close\r\n") })
    }

    @Test("many clients that close after each request share few places, and each is served", arguments: [1, 2])
    func closing(_ workers: Int) throws {
        let gateway = try answering(places: 4, workers: workers)
        let closing = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        for _ in 0..<10 {
            let clients = (0..<40).map { gateway.connect(from: UInt8(1 + $0 % 2)) }
            for client in clients { client.send(closing) }
            for client in clients { #expect(client.receiveAll().hasSuffix("x")) }
        }
        #expect(gateway.waitForConnections(0))
    }

    @Test("one client takes all but an eighth of them, whether it sends its heads slowly or its requests take for ever")
    func oneHostileClient() throws {
        let origin = ScriptedServer { peer, _, _ in
            let head = peer.receiveHead()
            if head.contains("/slow") { _ = peer.receiveAll() } else { peer.send(ok("served")) }
        }
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            $0.limits.connections = 16
            $0.timeouts.firstByte = 60_000
        }
        let slowHeads = (0..<10).map { _ in gateway.connect() }
        for client in slowHeads { client.send("GET / HT") }
        let slowRequests = (0..<20).map { _ in gateway.connect() }
        for client in slowRequests { client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n") }
        #expect(gateway.waitForConnections(30))
        for host in UInt8(2)...5 {
            let other = gateway.connect(from: host)
            other.send(request)
            #expect(other.receiveMessage().body == "served")
        }
    }

    @Test("one client that has its share, and more in line than may wait, does not keep others from being seen")
    func oneClientInLine() throws {
        let gateway = try answering(places: 16)
        let hostile = (0..<700).map { _ in gateway.connect() }
        for client in hostile { client.send("GET / HT") }
        let other = gateway.connect(from: 2)
        other.send(request)
        #expect(other.receiveMessage().body == "x")
    }

    @Test("nor does it when it ends one of its connections now and then, so that the line moves")
    func movingLine() throws {
        let gateway = try answering(places: 16)
        let hostile = (0..<700).map { _ in gateway.connect() }
        for client in hostile { client.send("GET / HT") }
        let other = gateway.connect(from: 2)
        other.send(request)
        // The first of them have places, and each that ends leaves its place to the next in line.
        let served = hostile[..<100].contains { client in
            client.close()
            return other.hasSomething(within: 150)
        }
        #expect(served)
        if served { #expect(other.receiveMessage().body == "x") }
    }

    @Test("its own idle connections give way to a client that has its share", arguments: [1, 2])
    func ownIdle(_ workers: Int) throws {
        let gateway = try answering(places: 16, workers: workers)
        let other = gateway.connect(from: 2)
        other.send(request)
        #expect(other.receiveMessage().body == "x")
        var clients: [Peer] = []
        for _ in 0..<40 {
            let client = gateway.connect()
            client.send(request)
            #expect(client.receiveMessage().body == "x")
            clients.append(client)
        }
        // Nobody else's did, although it has idled longest.
        other.send(request)
        #expect(other.receiveMessage().body == "x")
    }

    @Test("behind a trusted proxy there are many clients: it may have them all")
    func trustedProxy() throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.routes = [Configuration.Route(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
            $0.limits.connections = 16
            $0.trustedProxies = [.init(bytes: [127, 0, 0, 1], prefix: 32)]
        }
        let clients = (0..<16).map { _ in gateway.connect() }
        for client in clients { client.send("GET / HT") }
        #expect(gateway.waitForConnections(16))
        for client in clients {
            client.send("TP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.receiveMessage().body == "x")
        }
    }
}
