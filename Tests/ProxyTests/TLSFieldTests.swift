// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("Whether TLS was spoken") struct TLSFieldTests {
    private static let loopback = Configuration.AddressRange(bytes: [127, 0, 0, 0], prefix: 8)

    @Test("is what upstream servers are told, whatever a client says")
    func forwarded() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: LIE\r\nForwarded: proto=LIE\r\n\r\n"
        _ = gateway.exchange(request)
        let client = gateway.connectSecurely()
        client.send(request)
        _ = client.receiveMessage()
        let heads = origin.requests
        #expect(heads[0].contains("X-Forwarded-Proto: http\r\n") && heads[0].contains(";proto=http\r\n"))
        #expect(heads[1].contains("X-Forwarded-Proto: https\r\n") && heads[1].contains(";proto=https\r\n"))
        #expect(!heads.joined().contains("LIE"))
    }

    @Test("is for a trusted proxy to say of its own client")
    func trusted() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost]) {
            $0.trustedProxies = [Self.loopback]
        }
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\n\r\n")
        _ = client.receiveMessage()
        #expect(origin.requests[0].contains("X-Forwarded-Proto: http\r\n"))
        #expect(origin.requests[0].contains(";proto=https\r\n"), "Forwarded has an element for each hop")
    }

    @Test("is in the log of each request", arguments: [false, true])
    func logged(_ json: Bool) throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost]) {
            if json { $0.logFormat = .json }
        }
        _ = gateway.exchange("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
        for version in TLSSide.Version.allCases {
            let client = gateway.connectSecurely(.client(version))
            client.send("GET /\(version.rawValue) HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = client.receiveMessage()
        }
        let lines = gateway.log()
        for (path, version) in [("/plain", "-"), ("/TLSv1.2", "TLSv1.2"), ("/TLSv1.3", "TLSv1.3")] {
            let line = lines.first { $0.contains("\(path)") } ?? ""
            #expect(line.contains(json ? "\"tls\":\"\(version)\"" : " tls=\(version) "), "\(line)")
        }
    }

    // MARK: Strict-Transport-Security

    @Test("decides on Strict-Transport-Security, of which there is one at most")
    func hsts() throws {
        let origin = ScriptedServer.answering(
            ok("x", fields: "Strict-Transport-Security: max-age=1\r\nstrict-transport-security: max-age=2\r\n"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost]) {
            $0.tls.hstsSeconds = 3600
        }
        func fields(_ head: String) -> [String] {
            head.split(separator: "\r\n").map(String.init).filter {
                $0.lowercased().hasPrefix("strict-transport-security:")
            }
        }
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(fields(client.receiveMessage().head) == ["Strict-Transport-Security: max-age=3600"])
        // RFC 6797 section 7.2: none over plain HTTP from us.
        #expect(!gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").contains("3600"))
    }

    @Test("gives the gateway's own answers Strict-Transport-Security too")
    func ownHSTS() throws {
        let gateway = try RunningGateway(upstreams: [1], certificates: [localhost]) { $0.tls.hstsSeconds = 3600 }
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = client.receiveMessage()
        #expect(answer.head.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.head.contains("Strict-Transport-Security: max-age=3600\r\n"))
    }

    @Test("does not bring Strict-Transport-Security unasked")
    func noHSTS() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(!client.receiveMessage().head.contains("Strict-Transport-Security"))
    }

    // MARK: The redirect

    private func redirecting(
        _ certificates: [TestCertificate] = [localhost], _ configure: (inout Configuration) -> Void = { _ in }
    ) throws -> (RunningGateway, ScriptedServer) {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: certificates) {
            $0.tls.redirectsPlain = true
            configure(&$0)
        }
        return (gateway, origin)
    }

    private func location(_ answer: String) -> String {
        for line in answer.split(separator: "\r\n") where line.hasPrefix("Location: ") {
            return String(line.dropFirst(10))
        }
        return ""
    }

    @Test("decides on a redirect to the same target with the same method")
    func redirect() throws {
        let (gateway, origin) = try redirecting()
        let port = gateway.tlsPort
        for (host, there) in [
            ("a.example", "a.example"), ("a.example:8080", "a.example"), ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]", "[::1]"), ("[::1]:8080", "[::1]"),
        ] {
            let answer = gateway.exchange("GET /a/%2e?b=c&d HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 308 "))
            #expect(location(answer) == "https://\(there):\(port)/a/%2e?b=c&d")
        }
        let post = gateway.exchange("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        #expect(post.hasPrefix("HTTP/1.1 308 "))
        #expect(location(post) == "https://a:\(port)/form")
        // RFC 9112 section 3.2.2: the target's authority wins.
        let absolute = gateway.exchange("GET http://b.example/c HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(location(absolute) == "https://b.example:\(port)/c")
        #expect(origin.connections == 0)
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "x")
        #expect(gateway.log().first?.hasSuffix(" reason=to-https") == true)
    }

    @Test("leaves 443 out of a redirect")
    func usualPort() throws {
        // Without a TLS listener of its own, as behind one that somebody else runs, the port is the usual one.
        let (gateway, _) = try redirecting([])
        #expect(location(gateway.exchange("GET /a HTTP/1.1\r\nHost: a:8080\r\n\r\n")) == "https://a/a")
    }

    @Test("cannot be redirected to a host that nobody named")
    func noHost() throws {
        let (gateway, origin) = try redirecting()
        let answer = gateway.exchange("GET / HTTP/1.0\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
        #expect(location(answer) == "")
        #expect(origin.connections == 0)
    }

    @Test("is believed of a trusted proxy, and of nobody else")
    func behindProxy() throws {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: HTTPS\r\n\r\n"
        let (distrusting, _) = try redirecting()
        #expect(distrusting.exchange(request).hasPrefix("HTTP/1.1 308 "))
        let (trusting, origin) = try redirecting { $0.trustedProxies = [Self.loopback] }
        #expect(trusting.exchange(request).hasPrefix("HTTP/1.1 200 "))
        let plain = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\n\r\n"
        #expect(trusting.exchange(plain).hasPrefix("HTTP/1.1 308 "))
        #expect(origin.requests.count == 1)
    }

    @Test("cannot put fields into a redirect")
    func splitting() throws {
        let (gateway, _) = try redirecting()
        for target in ["/%0d%0aX-Evil:%201", "//evil.example/", "/\\evil"] {
            let answer = gateway.exchange("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
            let there = location(answer)
            #expect(there.isEmpty || there == "https://a:\(gateway.tlsPort)\(target)")
            #expect(!answer.contains("\r\nX-Evil"))
        }
    }
}
