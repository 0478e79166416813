// SPDX-License-Identifier: Apache-2.0
import Bytes
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Proxy

@Suite("A download into the cache") struct CacheDownloadTests {
    /// Sends the first half of `body` at once, and the rest when the gate opens.
    private static func halved(
        _ body: String, _ gate: Gate, _ fields: String = "Cache-Control: max-age=60\r\n"
    ) -> ScriptedServer {
        ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                let bytes = Array(body.utf8)
                peer.send("HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(bytes.count)\r\n\r\n")
                peer.send(Array(bytes[..<(bytes.count / 2)]))
                gate.pass()
                if !peer.send(Array(bytes[(bytes.count / 2)...])) { return }
            }
        }
    }

    @Test("is one for fifty clients on two loops: each gets the beginning at once and all of it in the end")
    func collapsed() throws {
        let gate = Gate()
        let body = letters(1_000_000)
        let server = Self.halved(body, gate)
        let gateway = try CachingGateway(server, workers: 2)
        let peers = (0..<50).map { _ in gateway.gateway.connect() }
        for peer in peers { peer.request() }
        // Before the second half is sent, each has the first.
        for peer in peers {
            let head = peer.receiveHead()
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(peer.receive(count: 400_000) == body.prefix(400_000))
        }
        gate.open()
        for peer in peers { #expect(peer.receive(count: 600_000) == body.dropFirst(400_000)) }
        #expect(server.requests.count == 1)
    }

    @Test("that comes in chunks, or until the connection closes, is stored whole", arguments: ["chunked", "close"])
    func framings(_ framing: String) throws {
        let body = letters(300_000)
        let server = ScriptedServer { peer, _, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            if framing == "close" {
                peer.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\n" + body)
                peer.finishSending()
                _ = peer.receiveAll()
            } else {
                peer.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
                let bytes = Array(body.utf8)
                for start in stride(from: 0, to: bytes.count, by: 30_000) {
                    peer.send("7530\r\n")
                    peer.send(Array(bytes[start..<start + 30_000]))
                    peer.send("\r\n")
                }
                peer.send("0\r\nX-Trailer: 1\r\n\r\n")
                _ = peer.receiveAll()
            }
        }
        let gateway = try CachingGateway(server)
        let first = gateway.store()
        #expect(first.body == body)
        #expect(first.isWhole)
        let second = gateway.ask()
        #expect(second.isHit)
        #expect(second.body == body)
        #expect(second.field("Content-Length") == "300000")
        #expect(server.requests.count == 1)
    }

    @Test("that breaks off is cut for all who read it, and not stored", arguments: ["length", "chunked", "reset"])
    func brokenOff(_ how: String) throws {
        let gate = Gate()
        let half = letters(100_000)
        let server = ScriptedServer { peer, _, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            let framing =
                how == "length"
                ? "Content-Length: 200000\r\n" : how == "chunked" ? "Transfer-Encoding: chunked\r\n" : ""
            peer.send(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\(framing)\r\n" + (how == "chunked" ? "30d40\r\n" : "")
                    + half)
            gate.pass()
            how == "reset" ? peer.reset() : peer.close()
        }
        let gateway = try CachingGateway(server)
        let peers = (0..<4).map { _ in gateway.gateway.connect() }
        for (index, peer) in peers.enumerated() { peer.request("/", minor: index == 3 ? 0 : 1) }
        for peer in peers {
            #expect(peer.receiveHead().hasPrefix("HTTP/1.1 200"))
        }
        gate.open()
        for (index, peer) in peers.enumerated() {
            // Neither the length nor the last chunk is reached.
            let rest = peer.receiveAll()
            #expect(!rest.hasSuffix("0\r\n\r\n"))
            #expect(index != 0 || rest.utf8.count < 200_000)
        }
        #expect(gateway.files.isEmpty)
        gate.open()
        #expect(!gateway.ask().isHit)
        #expect(server.requests.count == 2)
    }

    @Test("goes on when the client that began it leaves, and others get all of it")
    func leaderLeaves() throws {
        let gate = Gate()
        let body = letters(500_000)
        let server = Self.halved(body, gate)
        let gateway = try CachingGateway(server)
        let first = gateway.startReading()
        let second = gateway.gateway.connect()
        second.request()
        #expect(second.receiveHead().contains("collapsed"))
        first.reset()
        #expect(gateway.gateway.waitForConnections(1))
        gate.open()
        #expect(second.receive(count: 500_000) == body)
        eventually { gateway.ask().isHit }
        #expect(server.requests.count == 1)
    }

    @Test("goes on although nobody reads it any more")
    func allLeave() throws {
        let gate = Gate()
        let body = letters(500_000)
        let server = Self.halved(body, gate)
        let gateway = try CachingGateway(server)
        let first = gateway.startReading()
        first.reset()
        #expect(gateway.gateway.waitForConnections(0))
        gate.open()
        eventually { gateway.ask("/", "Cache-Control: only-if-cached\r\n").status == 200 }
        #expect(gateway.ask().body == body)
        #expect(server.requests.count == 1)
    }

    @Test("that nobody reads any more, and whose length nobody said, ends before it fills the cache")
    func endless() throws {
        let sent = Lock(0)
        let ended = Gate()
        let server = ScriptedServer { peer, number, _ in
            if peer.receiveHead().isEmpty { return }
            if number > 0 {
                peer.send(response("second", "Cache-Control: max-age=60\r\n"))
                _ = peer.receiveAll()
                return
            }
            peer.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "10000\r\n" + letters(65_536) + "\r\n"
            while peer.send(chunk), sent.withLock({ $0 }) < 100 << 20 { sent.withLock { $0 += 65_536 } }
            ended.open()
        }
        let gateway = try CachingGateway(server)
        let first = gateway.startReading()
        first.reset()
        ended.pass()
        #expect(sent.withLock { $0 } < 100 << 20)
        #expect(gateway.ask().body == "second")
    }

    @Test("goes on unread while it makes progress and its end is known")
    func patience() {
        for isLengthKnown in [true, false] {
            var patience = DownloadPatience(isLengthKnown: isLengthKnown, isRefresh: false)
            func goesOn(_ received: Int, _ isRead: Bool, _ now: UInt64) -> Bool {
                patience.goesOn(received: received, isRead: isRead, now: now)
            }
            #expect(goesOn(0, true, 0))
            #expect(goesOn(5_000, false, 1_000))
            #expect(goesOn(5_001, false, 10_999))
            // 4 KiB a second since the last reader left, or somebody who reads.
            #expect(goesOn(5_000 + 40_960, false, 11_000))
            #expect(!goesOn(5_000 + 40_960, false, 12_000))
            #expect(goesOn(5_000 + 40_960, true, 12_000))
            #expect(goesOn(60_000, false, 20_000))
            #expect(goesOn(60_000 + (1 << 20), false, 20_001))
            #expect(goesOn(60_001 + (1 << 20), false, 20_001) == isLengthKnown)
            // A clock that stands still, or runs back, is no reason to stop.
            #expect(goesOn(60_000, false, 0))
        }
    }

    @Test("that was begun for nobody goes on as long as it makes progress")
    func patienceWithoutReaders() {
        for isLengthKnown in [true, false] {
            for isRefresh in [true, false] {
                var patience = DownloadPatience(isLengthKnown: isLengthKnown, isRefresh: isRefresh)
                func goesOn(_ received: Int, _ now: UInt64, isRead: Bool = false) -> Bool {
                    patience.goesOn(received: received, isRead: isRead, now: now)
                }
                #expect(goesOn(1_000, 0))
                // One whose client left before the first byte was begun for that client.
                #expect(goesOn(2 << 20, 9_000) == (isLengthKnown || isRefresh))
                #expect(goesOn(2 << 20, 500_000) == (isLengthKnown || isRefresh))
                #expect(!goesOn(2 << 20, 520_000))
                // Somebody joins, and leaves.
                #expect(goesOn(2 << 20, 520_000, isRead: true))
                #expect(goesOn(2 << 20, 520_000))
                #expect(goesOn(4 << 20, 520_001) == isLengthKnown)
            }
        }
    }

    @Test("in the background brings a long body of unknown length up to date")
    func longRefresh() throws {
        let body = letters(3_000_000)
        let server = ScriptedServer { peer, number, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            let fields =
                number == 0
                ? "Cache-Control: max-age=10, stale-while-revalidate=1000\r\nAge: 20" : "Cache-Control: max-age=60"
            peer.send("HTTP/1.1 200 OK\r\n\(fields)\r\nX-Number: \(number)\r\nConnection: close\r\n\r\n")
            peer.send(body)
            peer.finishSending()
            _ = peer.receiveAll()
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask().field("X-Number") == "0")
        eventually { gateway.ask().field("X-Number") == "1" }
        #expect(gateway.ask().body == body)
        #expect(server.requests.count == 2)
    }

    @Test("is handed over when the client that asked leaves before there is a head")
    func handOver() throws {
        let server = ScriptedServer { peer, number, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            // The first request is never answered.
            if number > 0 { peer.send(response("second", "Cache-Control: max-age=60\r\n")) }
            _ = peer.receiveAll()
        }
        let gateway = try CachingGateway(server, workers: 2)
        let first = gateway.begin()
        let others = (0..<10).map { _ in gateway.gateway.connect() }
        for peer in others { peer.request() }
        gateway.gateway.hearAll()
        first.reset()
        for peer in others { #expect(peer.reply().body == "second") }
        #expect(server.requests.count == 2)
    }

    @Test("that may not be stored lets all who wait go, each with a request of its own")
    func released() throws {
        let gate = Gate()
        let server = origin { _, number in
            if number == 0 { gate.pass() }
            return response("\(number)", "Cache-Control: private\r\n")
        }
        let gateway = try CachingGateway(server, workers: 2)
        let first = gateway.begin()
        let others = (0..<10).map { _ in gateway.gateway.connect() }
        for peer in others { peer.request() }
        gateway.gateway.hearAll()
        #expect(server.requests.count == 1)
        gate.open()
        var bodies = Set(
            others.map { peer in
                let reply = peer.reply()
                #expect(reply.cacheStatus.contains("collapsed=?0"))
                return reply.body
            })
        bodies.insert(first.reply().body)
        #expect(bodies.count == 11)
        #expect(server.requests.count == 11)
    }

    @Test("is waited for no longer than the operator says")
    func waitEnds() throws {
        let gate = Gate()
        let server = origin { _, number in
            if number == 0 { gate.pass() }
            return response("\(number)", "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server) { $0.cache.lockTimeout = 50 }
        let first = gateway.begin()
        let reply = gateway.ask()
        #expect(reply.body == "1")
        #expect(reply.cacheStatus.contains("collapsed=?0"))
        gate.open()
        #expect(first.reply().body == "0")
    }

    @Test("is not waited for at all with a wait of 0")
    func noWait() throws {
        let gate = Gate()
        let server = origin { _, number in
            if number == 0 { gate.pass() }
            return response("\(number)", "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server) { $0.cache.lockTimeout = 0 }
        let first = gateway.begin()
        #expect(gateway.ask().body == "1")
        gate.open()
        #expect(first.reply().body == "0")
    }

    @Test("that fails before its head is an error for all who wait")
    func failed() throws {
        let gate = Gate()
        let server = ScriptedServer { peer, _, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            gate.pass()
            peer.send("nonsense\r\n\r\n")
        }
        let gateway = try CachingGateway(server)
        let peers = (0..<5).map { _ in gateway.gateway.connect() }
        for peer in peers { peer.request() }
        eventually { server.requests.count == 1 }
        gateway.gateway.hearAll()
        gate.open()
        for peer in peers { #expect(peer.reply().status == 502) }
        #expect(server.requests.count == 1)
    }

    @Test("a client that leaves while it waits disturbs nobody")
    func leavesWaiting() throws {
        let gate = Gate()
        let server = origin { _, number in
            if number == 0 { gate.pass() }
            return response("\(number)", "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server)
        let peers = (0..<20).map { _ in gateway.gateway.connect() }
        peers[0].request()
        eventually { server.requests.count == 1 }
        for peer in peers.dropFirst() { peer.request() }
        for index in 1..<20 where index % 2 == 0 { peers[index].reset() }
        #expect(gateway.gateway.waitForConnections(11))
        gate.open()
        for index in 0..<20 where index % 2 == 1 || index == 0 { #expect(peers[index].reply().body == "0") }
        #expect(server.requests.count == 1)
    }

    @Test("that is large reaches a slow reader whole, from memory, file and download", arguments: [false, true])
    func slow(_ isStored: Bool) throws {
        let size = 6_000_000
        let body = letters(size)
        let server = origin { _, _ in response(body, "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server)
        if isStored { gateway.store() }
        let peer = gateway.gateway.connect(receiveBuffer: 16_384)
        peer.request()
        #expect(peer.receiveHead().contains(isStored ? "; hit" : "; stored"))
        var got: [UInt8] = []
        var turns = 0
        while got.count < size {
            let piece = peer.receive()
            if piece.isEmpty { break }
            got += piece
            turns += 1
            if turns % 100 == 0 { dawdle() }
        }
        #expect(got == Array(body.utf8))
        #expect(gateway.ask("/", "Range: bytes=3000000-3000099\r\n").body == body.dropFirst(3_000_000).prefix(100))
        #expect(server.requests.count == 1)
    }

    @Test("too large to be stored is delivered all the same, however slow the client", arguments: [true, false])
    func tooLarge(_ hasLength: Bool) throws {
        let size = 12_000_000
        let body = Array(letters(size).utf8)
        let server = ScriptedServer { peer, _, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            peer.send(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\n"
                    + (hasLength ? "Content-Length: \(size)\r\n\r\n" : "\r\n"))
            peer.send(body)
            peer.finishSending()
            _ = peer.receiveAll()
        }
        let gateway = try CachingGateway(server) { $0.cache.largestBody = 1_000_000 }
        let peer = gateway.gateway.connect(receiveBuffer: 16_384)
        peer.request("/", minor: 0)
        let head = peer.receiveHead()
        #expect(head.contains("too-large") == hasLength)
        var got: [UInt8] = []
        var turns = 0
        while got.count < size {
            let piece = peer.receive()
            if piece.isEmpty { break }
            got += piece
            turns += 1
            if turns % 50 == 0 { dawdle() }
        }
        #expect(got == body)
        #expect(gateway.files.isEmpty)
    }

    @Test("too large to be stored goes at the pace of whoever reads; who does not is cut")
    func tooLargeForTwo() throws {
        let size = 20_000_000
        let body = Array(letters(size).utf8)
        let gate = Gate()
        let server = ScriptedServer { peer, _, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            peer.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\n")
            gate.pass()
            peer.send(body)
            peer.finishSending()
            _ = peer.receiveAll()
        }
        let gateway = try CachingGateway(server, workers: 2) { $0.cache.largestBody = 1_000_000 }
        let stalled = gateway.gateway.connect(receiveBuffer: 16_384)
        stalled.request("/", minor: 0)
        #expect(stalled.receiveHead().contains("200"))
        let reader = gateway.gateway.connect()
        reader.request("/", minor: 0)
        #expect(reader.receiveHead().contains("collapsed"))
        gate.open()
        var got: [UInt8] = []
        while got.count < size {
            let piece = reader.receive()
            if piece.isEmpty { break }
            got += piece
        }
        #expect(got == body)
        #expect(server.requests.count == 1)
        #expect(stalled.receiveAll().utf8.count < size)
        eventually { gateway.gateway.log().contains { $0.contains("reason=cache-behind") } }
        #expect(gateway.files.isEmpty)
    }

    @Test("a client that leaves in the middle of a hit disturbs nobody", arguments: [100_000, 4_000_000])
    func leavesHit(_ size: Int) throws {
        let body = letters(size)
        let server = origin { _, _ in response(body, "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server)
        gateway.store()
        for _ in 0..<20 {
            let peer = gateway.gateway.connect(receiveBuffer: 4096)
            peer.request()
            _ = peer.receiveHead()
            peer.reset()
        }
        #expect(gateway.ask().body == body)
        #expect(server.requests.count == 1)
    }

    @Test("without a client ends when the gateway stops")
    func stops() throws {
        let gate = Gate()
        let server = Self.halved(letters(500_000), gate)
        let gateway = try CachingGateway(server)
        let first = gateway.startReading()
        first.reset()
        #expect(gateway.gateway.waitForConnections(0))
        #expect(gateway.gateway.stop() == 0)
        gate.open()
        eventually { server.hasEnded }
        #expect(gateway.files.isEmpty)
    }
}
