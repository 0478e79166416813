// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("An upstream server that breaks the rules") struct BadUpstreamTests {
    static let malformed: [Disguise] = [
        .init("garbage", "garbage\r\n\r\n"),
        .init("no status", "HTTP/1.1\r\n\r\n"),
        .init("a status of 99", "HTTP/1.1 099 Odd\r\n\r\n"),
        .init("a status of 099", "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n"),
        .init("HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
        .init("both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        .init("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        .init("a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
        .init("a length of 2^64", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n"),
        .init("chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        .init("an unknown transfer coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n"),
        .init("a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
        .init("a folded line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n"),
        .init("a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
        .init("a NUL in a value", "HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n"),
        .init("a field without a name", "HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 0\r\n\r\n"),
        .init("too many fields", "HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n"),
        .init(
            "a head beyond the limit",
            "HTTP/1.1 200 OK\r\n" + String(repeating: "A: \(String(repeating: "b", count: 4000))\r\n", count: 9)),
        .init(
            "101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
        ),
        .init("nothing", ""),
        .init("half a head", "HTTP/1.1 200 OK\r\nContent-Le"),
    ]

    @Test("gets its client a 502", arguments: malformed)
    func gives502(_ answer: Disguise) throws {
        let origin = ScriptedServer.sendingAndClosing(answer.bytes)
        let gateway = try RunningGateway(upstreams: [origin.port])
        let response = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(response.hasPrefix("HTTP/1.1 502 "))
        let log = gateway.log()
        #expect(log.count == 1)
        #expect(log.first?.contains("reason=-") == false)
    }

    @Test("floods its client with no more interim responses than anyone needs")
    func interimFlood() throws {
        let origin = ScriptedServer.sendingAndClosing(String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 40))
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let answer = client.receiveAll()
        #expect(answer.components(of: "HTTP/1.1 103 ") == 16)
        #expect(answer.components(of: "HTTP/1.1 502 ") == 1)
    }

    @Test("never passes a cut body off as the whole")
    func cutBodies() throws {
        let cases: [(String, String)] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "Content-Length: 10\r\n"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Transfer-Encoding: chunked\r\n"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nXX\r\n",
                "Transfer-Encoding: chunked\r\n"
            ),
        ]
        for (bytes, framing) in cases {
            let origin = ScriptedServer.sendingAndClosing(bytes)
            let gateway = try RunningGateway(upstreams: [origin.port])
            let client = gateway.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = client.receiveAll()
            #expect(answer.contains(framing))
            #expect(!answer.hasSuffix("0\r\n\r\n"))
            #expect(!answer.contains("HTTP/1.1 502"))
        }
    }

    @Test("that says more than its length is not asked again on that connection")
    func poisonedConnection() throws {
        let origin = ScriptedServer { peer, number, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                peer.send(number == 0 ? ok("hello") + ok("poison") : ok("clean"))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "hello")
        client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "clean")
        #expect(origin.connections == 2)
    }

    @Test("that never answers gets its client a 504")
    func neverAnswers() throws {
        let origin = ScriptedServer { peer, _, _ in _ = peer.receiveAll() }
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.firstByte = 100 }
        #expect(gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 504 "))
        #expect(gateway.log().first?.hasSuffix("reason=upstream-first-byte-timeout") == true)
    }

    @Test("that falls silent in its head gets its client a 504")
    func silentInHead() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 200 OK\r\nContent-")
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.read = 100 }
        #expect(gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 504 "))
    }

    @Test(
        "that sends its head a line at a time, or interim responses now and then, gets its client a 504",
        arguments: [
            "X-Line: 1\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n",
        ])
    func slowHead(_ piece: String) throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            if piece.hasPrefix("X") { peer.send("HTTP/1.1 200 OK\r\n") }
            // Each well within the time for silence.
            for _ in 0..<(piece.hasPrefix("X") ? 90 : 10) where peer.send(piece) { dawdle() }
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            if piece.hasPrefix("X") { $0.timeouts.responseHead = 300 } else { $0.timeouts.firstByte = 60 }
        }
        let answer = gateway.connect()
        answer.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        #expect(answer.receiveHead().hasPrefix("HTTP/1.1 504 "))
        let word = piece.hasPrefix("X") ? "upstream-head-timeout" : "upstream-first-byte-timeout"
        #expect(gateway.log().first?.hasSuffix("reason=\(word)") == true)
    }

    @Test("may answer early: the client gets the answer and the upload ends")
    func earlyAnswer() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
            peer.close()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nstart")
        let answer = client.receiveAll()
        #expect(answer.hasPrefix("HTTP/1.1 413 "))
        #expect(answer.hasSuffix("big"))
        #expect(answer.contains("Connection: close\r\n"))
    }

    @Test("may end a body without a length by closing")
    func closeDelimited() throws {
        let origin = ScriptedServer.sendingAndClosing("HTTP/1.1 200 OK\r\n\r\nuntil the end")
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let answer = client.receiveAll()
        #expect(answer.contains("Transfer-Encoding: chunked\r\n"))
        #expect(answer.hasSuffix("d\r\nuntil the end\r\n0\r\n\r\n"))
    }

    @Test("may send interim heads and a final one that together are larger than a block")
    func largeInterims() throws {
        let hint = String(repeating: "Link: \(String(repeating: "a", count: 7000))\r\n", count: 4)
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            let heads = String(repeating: "HTTP/1.1 103 Early Hints\r\n\(hint)\r\n", count: 5)
            peer.send(heads + "HTTP/1.1 200 OK\r\n\(hint)Content-Length: 2\r\n\r\nok")
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let answer = client.receiveAll()
        #expect(answer.components(of: "HTTP/1.1 103 ") == 5)
        #expect(answer.hasSuffix("\r\n\r\nok"))
    }

    @Test("may send trailers, which go to clients that take them, and only those that may be passed on")
    func trailers() throws {
        // Sizes around those at which the trailers just fit behind what is staged.
        for size in stride(from: 15_700, to: 16_100, by: 7) {
            let origin = ScriptedServer { peer, _, _ in
                _ = peer.receiveHead()
                peer.send(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(String(size, radix: 16))\r\n"
                        + String(repeating: "x", count: size) + "\r\n0\r\nA:1\r\nB:2\r\nContent-Length:9\r\n\r\n")
                _ = peer.receiveAll()
            }
            let gateway = try RunningGateway(upstreams: [origin.port])
            let client = gateway.connect()
            client.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n")
            #expect(client.receiveAll().hasSuffix("\r\n0\r\nA: 1\r\nB: 2\r\n\r\n"))
        }
    }

    @Test("that resets its idle connections costs nothing")
    func resetsIdle() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send(ok("x"))
            peer.reset()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        for _ in 0..<200 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.receiveMessage().body == "x")
        }
    }

    @Test("may say that it is overloaded before it is asked")
    func speaksFirst() throws {
        let origin = ScriptedServer { peer, _, _ in
            peer.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy")
            _ = peer.receiveHead()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let clients = (0..<20).map { _ in gateway.connect() }
        for client in clients { client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
        for client in clients { #expect(client.receiveMessage().body == "busy") }
    }
}
