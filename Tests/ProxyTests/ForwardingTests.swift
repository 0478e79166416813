// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("What is forwarded") struct ForwardingTests {
    /// The head that an upstream server gets for `request`.
    private func forwarded(_ request: String, trusting: Bool = false) throws -> String {
        let origin = ScriptedServer.answering(ok(""))
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            if trusting { $0.trustedProxies = [.init(bytes: [127, 0, 0, 0], prefix: 8)] }
        }
        _ = gateway.exchange(request)
        return origin.requests.first ?? ""
    }

    @Test("is written anew in origin-form with the fields that say who asks")
    func provenance() throws {
        let head = try forwarded("GET http://example.org:81/a?b HTTP/1.1\r\nHost: other\r\nAccept: x\r\n\r\n")
        #expect(head.hasPrefix("GET /a?b HTTP/1.1\r\nHost: example.org:81\r\nAccept: x\r\n"))
        #expect(head.contains("X-Forwarded-For: 127.0.0.1\r\n"))
        #expect(head.contains("X-Forwarded-Proto: http\r\n"))
        #expect(head.contains("X-Forwarded-Host: example.org:81\r\n"))
        #expect(head.contains("Forwarded: for=127.0.0.1;host=\"example.org:81\";proto=http\r\n"))
        #expect(head.contains("\r\nVia: 1.1 gateway-"))
        #expect(head.contains("\r\nCDN-Loop: gateway-"))
        #expect(head.contains("X-Request-ID: "))
    }

    @Test("does not believe a client that says who it is")
    func spoofing() throws {
        let spoofed =
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-Port: 1\r\n"
            + "Forwarded: for=1.2.3.4\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 1.2.3.4\r\nProxy: http://evil\r\n\r\n"
        let head = try forwarded(spoofed)
        #expect(!head.contains("1.2.3.4"))
        #expect(!head.contains("evil"))
        #expect(!head.contains("https"))
        let trusted = try forwarded(spoofed, trusting: true)
        #expect(trusted.contains("X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n"))
        #expect(trusted.contains("X-Forwarded-Proto: https\r\n"))
        #expect(trusted.contains("Forwarded: for=1.2.3.4, for=127.0.0.1;"))
        #expect(!trusted.contains("X_Forwarded"))
    }

    @Test(
        "leaves no client's proof on a connection that another one gets",
        arguments: ["NTLM TlRM", "Negotiate YII=", "ntlm\tTlRM", "NEGOTIATE", "Basic eDp5"])
    func connectionProof(_ credentials: String) throws {
        let origin = ScriptedServer { peer, _, server in
            var user = "nobody"
            while true {
                let head = peer.receiveMessage().head
                if head.isEmpty { return }
                server.note(head)
                if head.contains("Authorization: ") { user = "alice" }
                peer.send(ok(user))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let alice = gateway.connect()
        alice.send("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: \(credentials)\r\n\r\n")
        #expect(alice.receiveMessage().body == "alice")
        let isShared = credentials.hasPrefix("Basic")
        let bob = gateway.connect()
        bob.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(bob.receiveMessage().body == (isShared ? "alice" : "nobody"))
        #expect(origin.connections == (isShared ? 1 : 2))
    }

    @Test(
        "says who the client is by no other name either, unless a trusted proxy does",
        arguments: [
            "Client-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "X-Cluster-Client-IP",
            "X-Original-Forwarded-For", "Front-End-Https", "x-forwarded-ssl",
        ])
    func otherSpellings(_ name: String) throws {
        for isTrusting in [false, true] {
            let head = try forwarded("GET / HTTP/1.1\r\nHost: a\r\n\(name): 1.2.3.4\r\n\r\n", trusting: isTrusting)
            #expect(head.contains("1.2.3.4") == isTrusting)
        }
    }

    @Test("is no other target and, where it is safe, no other method than what was routed and looked up")
    func overriding() throws {
        let targets = ["X-Original-URL", "x-rewrite-url"]
        let methods = ["X-HTTP-Method-Override", "X-HTTP-Method", "x-method-override"]
        for method in ["GET", "HEAD", "POST"] {
            for isTrusting in [false, true] {
                let lines = (targets + methods).map { "\($0): /admin\r\n" }.joined()
                let head = try forwarded("\(method) / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n", trusting: isTrusting)
                for name in targets { #expect(head.contains(name) == isTrusting) }
                for name in methods { #expect(head.contains("\r\n\(name): ") == (method == "POST")) }
            }
        }
    }

    @Test(
        "becomes no tunnel in which requests pass the routes",
        arguments: ["h2c", "HTTP/2.0", "TLS/1.0", "websocket, h2"])
    func tunnels(_ protocols: String) throws {
        let head = try forwarded(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: \(protocols)\r\n\r\n")
        #expect(head.hasPrefix("GET / ") && !head.lowercased().contains("upgrade"))
    }

    @Test("leaves behind what belongs to the client's connection")
    func hopByHop() throws {
        let head = try forwarded(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\n"
                + "TE: gzip\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nX-Other: 2\r\n\r\n")
        #expect(head.contains("X-Other: 2\r\n"))
        for name in ["Connection", "Keep-Alive", "X-Mine", "TE:", "Proxy-"] { #expect(!head.contains(name)) }
    }

    @Test("takes a request's trailers along, but none whose field would not have gone along in the head")
    func requestTrailers() throws {
        let expected = "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            let body = peer.receive(count: expected.utf8.count)
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)")
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let answer = gateway.exchange(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5\r\nhello\r\n0\r\nX-Sum:1\r\nX-Client-Cert-Subject: CN=admin\r\nX-Forwarded-User: root\r\nA_B: 2\r\n"
                + "Content-Length: 9\r\nAuthorization: x\r\nX-Request-ID: mine\r\n\r\n")
        #expect(answer.hasSuffix("\r\n\r\n\(expected)"))
    }

    @Test(
        "keeps what a Connection option must not remove",
        arguments: [
            "Host", "host", "Content-Length", "Cookie", "Authorization", "X-Forwarded-For", "x-forwarded-host", "Via",
            "Forwarded", "CDN-Loop",
        ])
    func connectionAbuse(_ name: String) throws {
        let head = try forwarded(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: \(name)\r\nCookie: c=1\r\nAuthorization: x\r\nContent-Length: 2\r\n\r\nok"
        )
        for line in [
            "Host: a", "Content-Length: 2", "Cookie: c=1", "Authorization: x", "X-Forwarded-For: 127.0.0.1",
        ] {
            #expect(head.contains(line + "\r\n"))
        }
        #expect(head.contains("\r\nVia: 1.1 gateway-"))
        #expect(head.contains("\r\nCDN-Loop: gateway-"))
    }

    @Test("keeps path and query byte for byte")
    func targetBytes() throws {
        for target in ["/a/%2e%2E/b;c=d?x=1;y=2&%zz={|}", "//double//slash", "/%41?", "/?"] {
            #expect(try forwarded("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("GET \(target) HTTP/1.1\r\n"))
        }
    }

    @Test("passes a client's request id on, unless it is no plain word")
    func requestIDs() throws {
        #expect(
            try forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: abc-1\r\n\r\n").contains(
                "X-Request-ID: abc-1\r\n"))
        #expect(try !forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: a\"b c\r\n\r\n").contains("a\"b"))
    }

    @Test("counts Max-Forwards down, and answers for itself at 0")
    func maxForwards() throws {
        #expect(
            try forwarded("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n").contains("Max-Forwards: 2\r\n"))
        let origin = ScriptedServer.answering(ok(""))
        let gateway = try RunningGateway(upstreams: [origin.port])
        #expect(gateway.exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
        #expect(origin.requests.isEmpty)
    }

    @Test("is not CONNECT, whose connection is closed")
    func connect() throws {
        let origin = ScriptedServer.answering(ok(""))
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = client.receiveAll()
        #expect(answer.hasPrefix("HTTP/1.1 405 "))
        #expect(answer.components(of: "HTTP/1.1 ") == 1)
        gateway.stop()
        #expect(origin.requests.isEmpty)
    }

    @Test("goes through whole in both directions, with lengths and without")
    func bodies() throws {
        let origin = ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                let body = head.contains("chunked") ? peer.receive(count: 30) : peer.receive(count: 20)
                peer.send(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
                )
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 20\r\n\r\n0123456789")
        client.send("abcdefghij")
        #expect(client.receiveAll().contains("0123456789abcdefghij"))
        let chunked = gateway.connect()
        chunked.send(
            "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\na;x=y\r\n0123456789\r\n"
        )
        chunked.send("5\r\nabcde\r\n0\r\n\r\n")
        let answer = chunked.receiveAll()
        #expect(answer.contains("a\r\n0123456789\r\n"))
        #expect(answer.contains("5\r\nabcde\r\n"))
        #expect(!answer.contains("x=y"))
    }

    @Test("back to the client leaves behind what the server's Connection names, but says the request's id once")
    func responseFields() throws {
        let origin = ScriptedServer.answering(
            ok(
                "",
                fields:
                    "Connection: Server, X-Mine\r\nServer: s\r\nX-Mine: 1\r\nX-Request-ID: other\r\nContent-Type: text/plain\r\n"
            ))
        let gateway = try RunningGateway(upstreams: [origin.port])
        let answer = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\n\r\n")
        #expect(!answer.contains("Server:"))
        #expect(!answer.contains("X-Mine"))
        #expect(answer.components(of: "X-Request-ID: ") == 1)
        #expect(answer.contains("X-Request-ID: mine\r\n"))
        #expect(answer.contains("Content-Type: text/plain\r\n"))
    }

    @Test("asks for no upgrade when there is a body")
    func upgradeWithBody() throws {
        let head = try forwarded(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok")
        #expect(!head.lowercased().contains("upgrade"))
    }
}
