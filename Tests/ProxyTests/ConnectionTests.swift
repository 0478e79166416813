// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("A client's connection") struct ConnectionTests {
    @Test("answers pipelined requests in order")
    func pipelining() throws {
        let origin = ScriptedServer { peer, _, _ in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                peer.send(ok(String(head.split(separator: " ")[1])))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send((1...40).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
        for number in 1...40 { #expect(client.receiveMessage().body == "/\(number)") }
    }

    @Test("takes a request in any pieces")
    func pieces() throws {
        let origin = ScriptedServer.answering(ok("hello"))
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        for byte in "\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8 { client.send([byte]) }
        client.send("2\r\nok\r\n0\r\n\r\n")
        #expect(client.receiveMessage().body == "hello")
    }

    @Test("of HTTP/1.0 is kept only when asked for, and gets no chunks")
    func http10() throws {
        let origin = ScriptedServer { peer, _, _ in
            while !peer.receiveHead().isEmpty {
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let plain = gateway.connect()
        plain.send("GET / HTTP/1.0\r\n\r\n")
        let answer = plain.receiveAll()
        #expect(answer.contains("Connection: close\r\n"))
        #expect(answer.hasSuffix("\r\n\r\nok"))
        let fixed = ScriptedServer.answering(ok("ok"))
        let other = try RunningGateway(upstreams: [fixed.port])
        let kept = other.connect()
        for _ in 0..<2 {
            kept.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            let message = kept.receiveMessage()
            #expect(message.head.contains("Connection: keep-alive\r\n"))
            #expect(message.body == "ok")
        }
    }

    @Test("gets no body for HEAD, 204 and 304, and goes on")
    func bodiless() throws {
        let origin = ScriptedServer { peer, _, _ in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                if head.hasPrefix("HEAD") { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n") }
                if head.contains(" /204 ") { peer.send("HTTP/1.1 204 No Content\r\n\r\n") }
                if head.contains(" /304 ") {
                    peer.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"x\"\r\n\r\n")
                }
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveHead().contains("Content-Length: 1000\r\n"))
        client.send("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveHead().hasPrefix("HTTP/1.1 204 "))
        client.send("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveHead().contains("ETag: \"x\"\r\n"))
    }

    @Test("passes 103 on, and 100 to whom it was promised")
    func interim() throws {
        let origin = ScriptedServer { peer, _, _ in
            let head = peer.receiveHead()
            if head.contains("Expect: 100-continue") {
                peer.send("HTTP/1.1 100 Continue\r\n\r\n")
                _ = peer.receive(count: 2)
            }
            peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("done"))
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(client.receiveHead() == "HTTP/1.1 100 Continue\r\n\r\n")
        client.send("ok")
        #expect(client.receiveHead().hasPrefix("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"))
        #expect(client.receiveMessage().body == "done")
    }

    @Test("that asks for a WebSocket gets a tunnel, and bytes sent too early are not lost")
    func upgrade() throws {
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
            while true {
                let bytes = peer.receive()
                if bytes.isEmpty { break }
                peer.send(bytes)
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly")
        let head = client.receiveHead()
        #expect(head.hasPrefix("HTTP/1.1 101 "))
        #expect(head.contains("Upgrade: websocket\r\n"))
        #expect(client.receive(count: 10) == "firstearly")
        client.send("ping")
        #expect(client.receive(count: 4) == "ping")
        client.finishSending()
        #expect(client.isClosedByPeer())
        #expect(origin.requests.first?.contains("Connection: upgrade\r\nUpgrade: websocket\r\n") == true)
    }

    @Test("that asks for an upgrade and does not get one stays HTTP")
    func refusedUpgrade() throws {
        let origin = ScriptedServer.answering(ok("plain"))
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        #expect(client.receiveMessage().body == "plain")
        #expect(client.receiveMessage().body == "plain")
        #expect(origin.requests.map { $0.split(separator: " ")[1] } == ["/ws", "/next"])
    }

    @Test("that is slow with its head is told so and closed")
    func slowHead() throws {
        let origin = ScriptedServer.answering(ok(""))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.header = 100 }
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHo")
        #expect(client.receiveAll().hasPrefix("HTTP/1.1 408 "))
        #expect(gateway.log().first?.hasSuffix("reason=header-timeout") == true)
    }

    @Test("that is slow with its body is told so and closed")
    func slowBody() throws {
        let origin = ScriptedServer { peer, _, _ in _ = peer.receiveAll() }
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.body = 100 }
        let client = gateway.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        #expect(client.receiveAll().hasPrefix("HTTP/1.1 408 "))
        #expect(gateway.log().first?.hasSuffix("reason=body-timeout") == true)
    }

    @Test("that takes nothing of its response is cut")
    func slowReader() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            while peer.send([UInt8](repeating: 65, count: 1 << 20)) {}
        }
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.write = 200 }
        let client = gateway.connect(receiveBuffer: 4096)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually { origin.hasEnded }
        #expect(gateway.log().first?.hasSuffix("reason=write-timeout") == true)
    }

    @Test("that idles for too long is closed without a word")
    func idle() throws {
        let origin = ScriptedServer.answering(ok("a"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.idle = 100 }
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "a")
        #expect(client.receiveAll() == "")
    }

    @Test("has so many requests, and the last response says so")
    func requestLimit() throws {
        let origin = ScriptedServer.answering(ok("a"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.limits.requestsPerConnection = 2 }
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(!client.receiveMessage().head.contains("Connection: close"))
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().head.contains("Connection: close"))
        #expect(client.isClosedByPeer())
    }

    @Test("may send a body of up to the limit and no more")
    func bodyLimit() throws {
        let origin = ScriptedServer.answering(ok("a"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.limits.bodyBytes = 4 }
        #expect(
            gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour").hasPrefix("HTTP/1.1 200 "))
        #expect(
            gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfives").hasPrefix("HTTP/1.1 413 "))
        #expect(
            gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfives\r\n0\r\n\r\n")
                .hasPrefix("HTTP/1.1 413 "))
    }

    @Test("may send a head of up to the limits and no more")
    func headLimits() throws {
        let origin = ScriptedServer.answering(ok("a"))
        let gateway = try RunningGateway(upstreams: [origin.port])
        func line(_ count: Int) -> String {
            "GET /" + String(repeating: "a", count: count - 14) + " HTTP/1.1\r\nHost: a\r\n\r\n"
        }
        #expect(gateway.exchange(line(8190)).hasPrefix("HTTP/1.1 200 "))
        #expect(gateway.exchange(line(8191)).hasPrefix("HTTP/1.1 414 "))
        func fields(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "A: b\r\n", count: count - 1) + "\r\n"
        }
        #expect(gateway.exchange(fields(100)).hasPrefix("HTTP/1.1 200 "))
        #expect(gateway.exchange(fields(101)).hasPrefix("HTTP/1.1 431 "))
        func head(_ count: Int) -> String {
            var text = "GET / HTTP/1.1\r\nHost: a\r\n"
            while count - text.utf8.count > 8000 { text += "A: " + String(repeating: "b", count: 7000) + "\r\n" }
            return text + "A: " + String(repeating: "b", count: count - text.utf8.count - 7) + "\r\n\r\n"
        }
        #expect(gateway.exchange(head(32_768)).hasPrefix("HTTP/1.1 200 "))
        #expect(gateway.exchange(head(32_769)).hasPrefix("HTTP/1.1 431 "))
    }

    @Test("that goes away takes its upstream request with it")
    func clientGone() throws {
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            if peer.isClosedByPeer() { server.note("closed") }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually { !origin.requests.isEmpty }
        client.reset()
        eventually { origin.requests.count >= 2 }
        #expect(origin.requests.last == "closed")
        #expect(gateway.log().first?.contains(" 499 ") == true)
    }

    @Test("that only ends its sending side still gets its answer")
    func halfClose() throws {
        let origin = ScriptedServer.answering(ok("still here"))
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.finishSending()
        #expect(client.receiveAll().hasSuffix("still here"))
    }

    @Test("may pipeline more than its share, and gets every answer", arguments: [250])
    func pipelinesMany(_ count: Int) throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            var route = Configuration.Route(action: .answer(status: 200, contentType: "text/plain", body: "x"))
            route.path = "/"
            $0.routes = [route]
        }
        let clients = (0..<8).map { _ in gateway.connect() }
        for client in clients { client.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: count)) }
        for client in clients {
            for _ in 0..<count { #expect(client.receiveMessage().body == "x") }
        }
    }

    @Test("that is a tunnel may be silent for longer than a body may")
    func silentTunnel() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            for _ in 0..<10 {
                for _ in 0..<3 { dawdle() }
                peer.send("tick")
            }
            _ = peer.receive(count: 4)
            peer.send("done")
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.body = 100 }
        let client = gateway.connect()
        client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        _ = client.receiveHead()
        #expect(client.receive(count: 40) == String(repeating: "tick", count: 10))
        client.send("ping")
        #expect(client.receive(count: 4) == "done")
    }

    @Test("whose request is malformed is told nothing of an earlier request, and the log neither")
    func staleHead() throws {
        let origin = ScriptedServer { peer, _, _ in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("HEAD /a/long/path/to/remember HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = client.receiveHead()
        client.send("GET garbage garbage garbage garbage\r\n\r\n")
        let answer = client.receiveMessage()
        #expect(answer.head.hasPrefix("HTTP/1.1 400 "))
        #expect(!answer.body.isEmpty)
        let line = gateway.log().last ?? ""
        #expect(line.contains("] \"-\" 400 \(answer.body.utf8.count) "))
    }

    @Test("sends a small body again although it came apart from its head")
    func replaysLateBody() throws {
        let origin = ScriptedServer { peer, number, server in
            while true {
                let message = peer.receiveMessage()
                if message.head.isEmpty { return }
                server.note(message.body)
                if number == 0, server.requests.count == 2 {
                    peer.reset()
                    return
                }
                peer.send(ok(message.body))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = client.receiveMessage()
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        gateway.hearAll()
        client.send("body")
        #expect(client.receiveMessage().body == "body")
        #expect(origin.requests == ["", "body", "body"])
    }

    @Test("that goes on uploading after an early answer can read it before it is closed")
    func earlyAnswerIsRead() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send(ok("early"))
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n")
        client.send([UInt8](repeating: 65, count: 1_000_000))
        #expect(client.receiveMessage().body == "early")
        client.send([UInt8](repeating: 65, count: 900_000))
    }

    @Test("that is closed for sending behind many pipelined requests gets every answer")
    func halfCloseAfterPipelining() throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.routes = [Configuration.Route(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
        }
        for _ in 0..<10 {
            let client = gateway.connect()
            client.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 100))
            client.finishSending()
            #expect(client.receiveAll().components(of: "HTTP/1.1 200 ") == 100)
        }
    }

    @Test("may send its body before it hears 100, however late that comes")
    func impatientBody() throws {
        let size = 20_000_000
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            // Long enough for the client's bytes to fill every buffer on their way.
            for _ in 0..<20 { dawdle() }
            peer.send("HTTP/1.1 100 Continue\r\n\r\n")
            for _ in 0..<20 { dawdle() }
            var count = 0
            while count < size {
                let piece = peer.receive()
                if piece.isEmpty { return }
                count += piece.count
            }
            peer.send(ok("\(count)"))
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: \(size)\r\n\r\n")
        #expect(client.send([UInt8](repeating: 65, count: size)))
        #expect(client.receiveHead().hasPrefix("HTTP/1.1 100 "))
        #expect(client.receiveMessage().body == "\(size)")
    }
}
