// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Settings
import Synchronization
import TestSupport
import Testing

private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/// Clients at this address take whatever they can get.
private let hostile: UInt8 = 2
/// And this one only wants an answer.
private let innocent: UInt8 = 3

@Suite("One client's requests") struct PlacesTests {
    /// An origin that answers `/` at once, `/large` with more than sockets hold, `/tunnel` with 101, and `/slow` never.
    private func origin() -> ScriptedServer {
        ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                if head.contains("/slow") {
                    _ = peer.receiveAll()
                    return
                }
                if head.contains("/tunnel") {
                    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
                    while true {
                        let bytes = peer.receive()
                        if bytes.isEmpty { return }
                        peer.send(bytes)
                    }
                }
                if head.contains("/large") {
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n")
                    peer.send([UInt8](repeating: 0, count: 40_000_000))
                    return
                }
                if head.contains("100-continue") { peer.send("HTTP/1.1 100 Continue\r\n\r\n") }
                if head.contains("chunked") {
                    if peer.receiveChunks() == nil { return }
                } else if head.hasPrefix("POST") {
                    let parts = head.lowercased().split(separator: "content-length: ")
                    let length = parts.last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
                    if peer.receiveBytes(count: length).count < length { return }
                }
                if !peer.send(ok("x")) { return }
            }
        }
    }

    private func gateway(
        _ origin: ScriptedServer, workers: Int = 1, _ edit: (inout Configuration) -> Void = { _ in }
    ) throws -> RunningGateway {
        try RunningGateway(upstreams: [origin.port], workers: workers) {
            $0.limits.connectionsPerUpstream = 8
            $0.limits.tunnelsPerUpstream = 8
            $0.pools[0].settings.queue = 16
            // Whoever waits so long has been kept waiting.
            $0.pools[0].settings.queueTimeout = 8_000
            edit(&$0)
        }
    }

    private func head(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }

    private func isServed(_ gateway: RunningGateway, _ request: String = get) -> Bool {
        let client = gateway.connect(from: innocent)
        client.send(request)
        let message = client.receiveMessage()
        return message.head.hasPrefix("HTTP/1.1 200 ") && message.body == "x"
    }

    @Test(
        "leave places at a server to others, however many it sends",
        arguments: [
            "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
        ], [1, 2])
    func share(_ request: String, _ workers: Int) throws {
        let origin = origin()
        let gateway = try gateway(origin, workers: workers)
        let clients = (0..<40).map { _ in gateway.connect(receiveBuffer: 4_096, from: hostile) }
        for client in clients { client.send(request) }
        // Three quarters of eight; the loops see of each other what they have.
        eventually { origin.requests.count >= 6 }
        for _ in 0..<20 { #expect(isServed(gateway)) }
        let others = origin.requests.count { $0.hasPrefix("GET / ") }
        #expect(origin.requests.count - others <= 5 + workers)
        for client in clients { client.reset() }
        #expect(gateway.waitForConnections(0))
        // All that it had is given back.
        let back = (0..<6).map { _ in gateway.connect(from: hostile) }
        for client in back { client.send(get) }
        for client in back { #expect(client.receiveMessage().body == "x") }
    }

    @Test("need no server before their first bytes are here, and all of a small body", arguments: [false, true])
    func uploads(_ isChunked: Bool) throws {
        let origin = origin()
        let gateway = try gateway(origin) { $0.limits.clientShare = 100 }
        let small = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
        let large = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let clients = (0..<20).map { _ in gateway.connect(from: hostile) }
        for (index, client) in clients.enumerated() {
            client.send(index % 2 == 0 ? small + "123456789" : isChunked ? chunked : large)
        }
        #expect(gateway.waitForConnections(20))
        #expect(isServed(gateway))
        #expect(origin.requests.count == 1)
        // The rest of it comes, and with that the answer.
        clients[0].send("0")
        #expect(clients[0].receiveMessage().body == "x")
        clients[0].send(small)
        clients[0].send("0123456789" + get)
        #expect(clients[0].receiveMessage().body == "x")
        #expect(clients[0].receiveMessage().body == "x")
        #expect(origin.requests.count == 4)
        clients[1].send(isChunked ? "1\r\nx\r\n" : "x")
        eventually { origin.requests.count == 5 }
    }

    @Test("arrive whole, wherever their bodies are cut, and whatever follows them")
    func split() throws {
        let body = "0123456789"
        let origin = ScriptedServer { peer, _, _ in
            while true {
                let message = peer.receiveMessage()
                if message.head.isEmpty { return }
                let content =
                    message.head.contains("chunked")
                    ? String(decoding: peer.receiveChunks() ?? [], as: UTF8.self) : message.body
                if !peer.send(ok(content)) { return }
            }
        }
        let gateway = try gateway(origin)
        let requests = [
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n\(body)",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
        ]
        let client = gateway.connect()
        for request in requests {
            let bytes = Array((request + get).utf8)
            for cut in 1..<bytes.count {
                client.send(Array(bytes[..<cut]))
                sched_yield()
                client.send(Array(bytes[cut...]))
                #expect(client.receiveMessage().body == body)
                #expect(client.receiveMessage().body == "")
            }
        }
    }

    @Test("that do not send their body in time get 408, whether or not a server waits for it")
    func slowBody() throws {
        let origin = origin()
        let gateway = try gateway(origin) { $0.timeouts.body = 200 }
        for sent in ["", "123"] {
            let client = gateway.connect()
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n\(sent)")
            #expect(client.receiveHead().hasPrefix("HTTP/1.1 408 "))
        }
        #expect(origin.requests.isEmpty)
        let gone = gateway.connect()
        gone.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
        gone.finishSending()
        #expect(gone.receiveAll().isEmpty)
        #expect(gateway.waitForConnections(0))
    }

    @Test("have places in the queue by share, too: others still come in and are served first come, client by client")
    func queue() throws {
        let origin = origin()
        let gateway = try gateway(origin) {
            $0.limits.connectionsPerUpstream = 1
            $0.pools[0].settings.queueTimeout = 30_000
        }
        let first = gateway.connect(from: hostile)
        first.send(head("/slow"))
        eventually { origin.requests.count == 1 }
        let clients = (0..<20).map { _ in gateway.connect(from: hostile) }
        // Three quarters of 16 wait, here in this order.
        for (index, client) in clients[..<12].enumerated() {
            client.send(get)
            eventually { gateway.waitedRequests == index + 1 }
        }
        for client in clients[12...] {
            client.send(get)
            #expect(client.receiveHead().hasPrefix("HTTP/1.1 503 "))
        }
        let other = gateway.connect(from: innocent)
        other.send(head("/other"))
        eventually { gateway.waitedRequests == 13 }
        first.reset()
        #expect(other.receiveMessage().body == "x")
        // At most one of the others went before it.
        #expect(origin.requests.prefix(4).contains { $0.contains("/other") })
        for client in clients[..<12] { #expect(client.receiveMessage().body == "x") }
    }

    @Test("lose their places when they make no progress and others have the rest, and not before")
    func stalled() throws {
        let origin = origin()
        let gateway = try gateway(origin) {
            $0.limits.connectionsPerUpstream = 4
            $0.timeouts.stall = 100
        }
        // A client with one place keeps it, whatever the other takes.
        let patient = gateway.connect(receiveBuffer: 4_096, from: innocent)
        patient.send(head("/large"))
        eventually { origin.requests.count == 1 }
        let stalled = (0..<3).map { _ in gateway.connect(receiveBuffer: 4_096, from: hostile) }
        // The upload has its place first, and so has made no progress for longest.
        for (index, client) in stalled.enumerated() {
            let upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx"
            client.send(index == 0 ? upload : head("/large"))
            if index < 2 { eventually { origin.requests.count == index + 2 } }
        }
        // All four places are taken now.
        eventually { origin.requests.count == 4 }
        #expect(stalled[0].receiveHead().hasPrefix("HTTP/1.1 408 "))
        #expect(patient.receiveHead().hasPrefix("HTTP/1.1 200 "))
        #expect(patient.receiveBytes(count: 40_000_000).count == 40_000_000)
        let log = gateway.log()
        #expect(log.contains { $0.contains(" 408 ") && $0.hasSuffix("reason=client-stalled") })
    }

    @Test("for tunnels take no places of others, and have a limit and a share of their own")
    func tunnels() throws {
        let origin = origin()
        let gateway = try gateway(origin) { $0.limits.connectionsPerUpstream = 2 }
        let upgrade = "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
        func open(from host: UInt8) -> (Peer, String) {
            let client = gateway.connect(from: host)
            client.send(upgrade)
            return (client, client.receiveHead())
        }
        var tunnels: [Peer] = []
        for _ in 0..<6 {
            let (client, head) = open(from: hostile)
            #expect(head.hasPrefix("HTTP/1.1 101 "))
            tunnels.append(client)
        }
        let (_, refused) = open(from: hostile)
        #expect(refused.hasPrefix("HTTP/1.1 503 "))
        #expect(refused.contains("Retry-After: "))
        // Both places are free, also for whoever has its share of tunnels, and others have tunnels too.
        for _ in 0..<3 { #expect(isServed(gateway)) }
        let (other, opened) = open(from: innocent)
        #expect(opened.hasPrefix("HTTP/1.1 101 "))
        other.send("hello")
        #expect(other.receive(count: 5) == "hello")
        for client in tunnels { client.close() }
        eventually { open(from: hostile).1.hasPrefix("HTTP/1.1 101 ") }
        let log = gateway.log()
        #expect(log.contains { $0.contains(" 503 ") && $0.hasSuffix("reason=upstream-tunnels") })
    }

    @Test("count for the client that a trusted proxy names")
    func proxies() throws {
        let origin = origin()
        let gateway = try gateway(origin) {
            $0.trustedProxies = [.init(bytes: [127, 0, 0, 2], prefix: 32)]
            $0.limits.connectionsPerUpstream = 4
        }
        func send(_ target: String, for client: String) -> Peer {
            let peer = gateway.connect(from: hostile)
            peer.send("GET \(target) HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \(client)\r\n\r\n")
            return peer
        }
        let greedy = (0..<6).map { send("/slow", for: "2001:db8::\($0)") }
        eventually { origin.requests.count == 3 }
        for _ in 0..<5 { #expect(send("/", for: "192.0.2.1").receiveMessage().body == "x") }
        for _ in 0..<5 { #expect(send("/", for: "2001:db8:0:1::1").receiveMessage().body == "x") }
        #expect(origin.requests.count { $0.contains("/slow") } == 3)
        for client in greedy { client.reset() }
    }
}
