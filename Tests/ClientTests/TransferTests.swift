// SPDX-License-Identifier: Apache-2.0
import Client
import TestSupport
import Testing

@Suite("A transfer") struct TransferTests {
    /// Body and exit status of a request to a server that sends `bytes` and closes.
    private func exchange(_ bytes: String, method: String? = nil, body: String? = nil) throws -> (String, Int32) {
        let server = ScriptedServer { peer, _, _ in
            _ = peer.receiveMessage()
            peer.send(bytes)
            peer.close()
        }
        let outcome = try fetch(server.url(), body: body.map { .bytes(Array($0.utf8)) }) { $0.method = method }
        return (outcome.text, outcome.exitStatus)
    }

    @Test("ends with curl's exit status")
    func exitStatuses() throws {
        #expect(try exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == ("hello", 0))
        #expect(
            try exchange("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") == ("hello", 0)
        )
        #expect(try exchange("HTTP/1.0 200 OK\r\n\r\nuntil the end") == ("until the end", 0))
        #expect(try exchange("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n") == ("", 0))
        #expect(try exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method: "HEAD") == ("", 0))
        #expect(try exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel") == ("hel", 18))
        #expect(try exchange("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel") == ("hel", 18))
        #expect(try exchange("").1 == 52)
        #expect(try exchange("garbage\r\n\r\n").1 == 1)
        #expect(try exchange("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", body: "x") == ("hello", 0))
    }

    @Test("to nowhere says so")
    func nowhere() throws {
        let dead = ScriptedServer.answering("")
        dead.stop()
        #expect(try fetch(dead.url()).exitStatus == 7)
        #expect(try fetch("http://no-such-host.invalid/").exitStatus == 6)
    }

    @Test("writes the request as it was asked for")
    func request() throws {
        let server = scripted { _, _, _ in ok("") }
        let outcome = try fetch(server.url("/a?b"), body: .bytes(Array("body".utf8))) {
            $0.method = "PUT"
            $0.contentType = "text/x"
            $0.fields = [
                RequestField(name: "accept", value: "text/plain"), RequestField(name: "X-Empty", value: ""),
                RequestField(name: "User-Agent", value: nil),
            ]
        }
        let request = server.requests.first ?? ""
        #expect(request.hasPrefix("PUT /a?b HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n"))
        #expect(request.contains("accept: text/plain\r\n"))
        #expect(!request.contains("Accept: */*"))
        #expect(request.contains("X-Empty:\r\n"))
        #expect(!request.contains("User-Agent"))
        #expect(request.contains("Content-Length: 4\r\nContent-Type: text/x\r\n"))
        #expect(request.hasSuffix("\r\n\r\nbody"))
        #expect(outcome.report.status == 200)
    }

    @Test("uses one connection for several URLs, and another once the server has closed it")
    func connections() throws {
        let server = scripted { head, _, _ in
            head.contains("/last") ? ok("c", fields: "Connection: close\r\n") : ok("a")
        }
        let runner = TransferRunner(TransferContext())
        for path in ["/1", "/2", "/last", "/3"] { #expect(try runner.fetch(server.url(path)).exitStatus == 0) }
        #expect(server.connections == 2)
    }

    @Test("survives a kept connection that the server closes at that moment")
    func staleConnection() throws {
        // The second request on each connection is answered by its end.
        let server = ScriptedServer { peer, _, server in
            server.note(peer.receiveMessage().head)
            peer.send(ok("a"))
            _ = peer.receiveHead()
            peer.close()
        }
        let runner = TransferRunner(TransferContext())
        #expect(try runner.fetch(server.url()).text == "a")
        let second = try runner.fetch(server.url())
        #expect(second.text == "a" && second.exitStatus == 0)
        #expect(server.connections == 2)
    }

    @Test("sends what must not be done twice on a connection that nothing was sent on before")
    func newConnections() throws {
        // The second request on each connection is answered by its end.
        let server = ScriptedServer { peer, _, server in
            server.note(peer.receiveMessage().head)
            peer.send(ok("a"))
            server.note(peer.receiveMessage().head)
            peer.close()
        }
        var context = TransferContext()
        context.settings.method = "POST"
        let runner = TransferRunner(context)
        for _ in 0..<3 {
            let outcome = try runner.fetch(server.url(), body: .bytes([0x61]))
            #expect(outcome.text == "a", "\(outcome.sentence)")
        }
        #expect(server.connections == 3 && server.requests.count { $0.hasPrefix("POST ") } == 3)
    }

    @Test("gives up after the time it has")
    func timeout() throws {
        let silent = ScriptedServer { peer, _, _ in _ = peer.isClosedByPeer() ? false : peer.isClosedByPeer() }
        #expect(try fetch(silent.url()) { $0.maxTime = 50 }.exitStatus == 28)
        let slow = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
            _ = peer.isClosedByPeer()
        }
        let outcome = try fetch(slow.url()) { $0.maxTime = 200 }
        #expect(outcome.exitStatus == 28 && outcome.text == "hello")
    }

    @Test("tries again when the server asks for it, and waits as it says")
    func retries() throws {
        let server = scripted { _, _, number in
            number < 2 ? "HTTP/1.1 503 Later\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nwait" : ok("now")
        }
        let outcome = try fetch(server.url()) {
            $0.retry.attempts = 3
            $0.retry.delay = 1
        }
        #expect(outcome.text == "now" && outcome.report.retries == 2)
        let stubborn = ScriptedServer.answering("HTTP/1.1 503 Later\r\nContent-Length: 4\r\n\r\nwait")
        let refused = try fetch(stubborn.url()) {
            $0.retry.attempts = 2
            $0.retry.delay = 1
        }
        #expect(refused.text == "wait" && stubborn.requests.count == 3)
    }

    @Test("sends large content and takes the answer that comes before its end")
    func earlyAnswer() throws {
        let server = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            peer.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
            peer.finishSending()
            _ = peer.isClosedByPeer()
        }
        let outcome = try fetch(server.url(), body: .bytes([UInt8](repeating: 0x61, count: 8 << 20)))
        #expect(outcome.report.status == 413 && outcome.text == "no")
        #expect(server.requests.first?.contains("Expect: 100-continue\r\n") == true)
        #expect(outcome.report.sentBytes == 0)
    }

    @Test("continues a download where it was, or says that the server does not")
    func resume() throws {
        let server = scripted { head, _, _ in
            guard head.contains("Range: bytes=3-") else { return ok("abcdef") }
            if head.contains("/whole") { return ok("abcdef") }
            return "HTTP/1.1 206 Part\r\nContent-Range: bytes 3-5/6\r\nContent-Length: 3\r\n\r\ndef"
        }
        let runner = TransferRunner(TransferContext())
        #expect(try runner.fetch(server.url(), resumesAt: 3).text == "def")
        let whole = try runner.fetch(server.url("/whole"), resumesAt: 3)
        #expect(whole.exitStatus == 33 && whole.text == "")
        #expect(try runner.fetch(server.url(), resumesAt: 0).text == "abcdef")
        let done = ScriptedServer.answering(
            "HTTP/1.1 416 No\r\nContent-Range: bytes */6\r\nContent-Length: 1\r\n\r\nx")
        let complete = try runner.fetch(done.url(), resumesAt: 6)
        #expect(complete.exitStatus == 0 && complete.text == "")
    }

    @Test("goes through a local socket, and by --resolve, without asking for the name")
    func ways() throws {
        let server = ScriptedServer.answering(ok("here"))
        let byHand = try fetch("http://no-such-host.invalid:\(server.port)/") {
            $0.overrides = (try? [AddressOverride(parsing: "no-such-host.invalid:\(server.port):127.0.0.1")]) ?? []
        }
        #expect(byHand.text == "here")
        #expect(server.requests.first?.contains("Host: no-such-host.invalid:\(server.port)\r\n") == true)
        let missing = try fetch("http://localhost/") { $0.unixSocket = "/nowhere/socket" }
        #expect(missing.exitStatus == 7)
    }

    @Test("asks a proxy with the whole URL, and for a tunnel where TLS follows")
    func proxies() throws {
        let proxy = scripted { head, _, _ in
            head.hasPrefix("CONNECT") ? "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" : ok("by proxy")
        }
        let plain = try fetch("http://example.invalid/x") {
            $0.proxy = try? ProxyServer(parsing: "u:p@127.0.0.1:\(proxy.port)")
        }
        #expect(plain.text == "by proxy")
        #expect(proxy.requests.first?.hasPrefix("GET http://example.invalid/x HTTP/1.1\r\n") == true)
        #expect(proxy.requests.first?.contains("Proxy-Authorization: Basic dTpw\r\n") == true)
        let secure = try fetch("https://example.invalid/x") {
            $0.proxy = try? ProxyServer(parsing: "127.0.0.1:\(proxy.port)")
        }
        #expect(secure.exitStatus == 56)
        #expect(proxy.requests.last?.hasPrefix("CONNECT example.invalid:443 HTTP/1.1\r\n") == true)
        let direct = ScriptedServer.answering(ok("direct"))
        let past = try fetch(direct.url()) {
            $0.proxy = try? ProxyServer(parsing: "127.0.0.1:\(proxy.port)")
            $0.directHosts = ["127.0.0.1"]
        }
        #expect(past.text == "direct")
    }

    @Test("decodes gzip that it asked for, and leaves alone what it did not ask for")
    func compressed() throws {
        // gzip of "zipped\n".
        let coded: [UInt8] = [
            0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xFF, 0xAB, 0xCA, 0x2C, 0x28,
            0x48, 0x4D, 0xE1, 0x02, 0x00, 0xAC, 0x00, 0x3A, 0xC7, 0x07, 0x00, 0x00, 0x00,
        ]
        let server = ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                peer.send(Array("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 27\r\n\r\n".utf8) + coded)
            }
        }
        let raw = try fetch(server.url())
        #expect(raw.report.bodyBytes == 27 && raw.text != "zipped\n")
        #expect(server.requests.last?.contains("Accept-Encoding") == false)
        let decoded = try fetch(server.url()) { $0.acceptsCompressed = true }
        #expect(decoded.text == "zipped\n", "\(decoded.sentence)")
        #expect(server.requests.last?.contains("Accept-Encoding: gzip\r\n") == true)
    }
}
