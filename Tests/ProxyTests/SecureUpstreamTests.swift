// SPDX-License-Identifier: Apache-2.0
import Settings
import Synchronization
import TestSupport
import Testing

@Suite("An upstream server behind TLS") struct SecureUpstreamTests {
    private let folder = TemporaryFolder()

    /// A gateway in front of `https://127.0.0.1` on these ports, whose certificates must lead to the tests' authority.
    private func gateway(
        _ ports: [UInt16], lists: String = "", _ configure: (inout Configuration) -> Void = { _ in }
    ) throws -> RunningGateway {
        let roots = folder.write(authority.pem + lists, to: "roots.pem")
        return try RunningGateway(upstreams: ports) {
            for index in ports.indices { $0.pools[0].servers[index].isTLS = true }
            $0.upstreamTLS.ca = roots
            configure(&$0)
        }
    }

    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test("is spoken to when its certificate is good", arguments: TLSSide.Version.allCases)
    func works(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer.answering(ok("x"), tls: .server(localhost, version))
        let gateway = try gateway([origin.port])
        #expect(gateway.exchange(request).hasSuffix("\r\n\r\nx"))
        #expect(gateway.log().first?.hasSuffix(" reason=-") == true)
    }

    @Test(
        "has its handshake finished before anybody asks for anything: with TLS 1.3 the last message is the client's",
        arguments: TLSSide.Version.allCases, [true, false])
    func unasked(_ version: TLSSide.Version, _ isWarm: Bool) throws {
        let secured = Atomic<Int>(0)
        // Not handed a connection before its handshake is done.
        let origin = ScriptedServer(tls: .server(localhost, version)) { peer, _, _ in
            secured.add(1, ordering: .relaxed)
            _ = peer.receiveAll()
        }
        let gateway = try gateway([origin.port]) {
            // Either a connection is kept for whoever comes, or a health check looks whether it can be made.
            $0.pools[0].settings.balance.warm = isWarm ? 1 : 0
            $0.pools[0].settings.check.isOn = !isWarm
        }
        eventually { secured.load(ordering: .relaxed) > 0 }
        withExtendedLifetime(gateway) {}
    }

    @Test("is found by name too, and asked for by it")
    func byName() throws {
        let named = authority.issue(["localhost"])
        let origin = ScriptedServer.answering(ok("x"), tls: .server(named))
        let gateway = try gateway([origin.port]) { $0.pools[0].servers[0].host = "localhost" }
        #expect(gateway.exchange(request).hasSuffix("\r\n\r\nx"))
    }

    @Test("whose name is only the subject of its certificate gets no request")
    func subjectOnly() throws {
        let named = authority.issue([], subject: "localhost")
        let origin = ScriptedServer.answering(ok("x"), tls: .server(named))
        let gateway = try gateway([origin.port]) { $0.pools[0].servers[0].host = "localhost" }
        #expect(gateway.exchange(request).hasPrefix("HTTP/1.1 502 "))
        #expect(origin.requests.isEmpty)
        #expect(gateway.log().first?.hasSuffix(" reason=certificate-wrong-name") == true)
        #expect(gateway.reports.contains { $0.hasSuffix("it is for no name, not for localhost") })
    }

    @Test("that does not prove itself gets no request", arguments: TLSSide.Version.allCases)
    func refused(_ version: TLSSide.Version) throws {
        let revoked = authority.issue()
        let lists = authority.revocationList(of: [revoked])
        let cases: [(TestCertificate, String)] = [
            (authority.issue(until: -60), "certificate-expired"),
            (authority.issue(from: 3600), "certificate-not-yet-valid"),
            (authority.issue(["other.example"]), "certificate-wrong-name"),
            (authority.issue([], subject: "127.0.0.1"), "certificate-wrong-name"),
            (authority.issue(["other.example"], subject: "127.0.0.1"), "certificate-wrong-name"),
            (.selfSigned(), "certificate-self-signed"),
            (CertificateAuthority("Others").issue(), "certificate-unknown-issuer"),
            (authority.issue(usage: "clientAuth"), "certificate-wrong-purpose"),
            (revoked, "certificate-revoked"),
        ]
        for (certificate, word) in cases {
            let origin = ScriptedServer.answering(ok("x"), tls: .server(certificate, version))
            let gateway = try gateway([origin.port], lists: lists)
            let answer = gateway.exchange(request)
            #expect(answer.hasPrefix("HTTP/1.1 502 "), "\(word)")
            #expect(origin.requests.isEmpty, "\(word)")
            let line = gateway.log().first ?? ""
            #expect(line.hasSuffix(" reason=\(word)"), "\(line)")
            #expect(gateway.reports.contains { $0.hasPrefix("upstream https://127.0.0.1:\(origin.port): ") })
        }
    }

    @Test("need not prove itself where the operator says so")
    func unverified() throws {
        let origin = ScriptedServer.answering(ok("x"), tls: .server(.selfSigned(["other.example"])))
        let gateway = try gateway([origin.port]) { $0.upstreamTLS.verifies = false }
        #expect(gateway.exchange(request).hasSuffix("\r\n\r\nx"))
    }

    @Test("that demands a certificate is shown the gateway's", arguments: TLSSide.Version.allCases)
    func ownCertificate(_ version: TLSSide.Version) throws {
        let mine = authority.issue([], subject: "gateway", usage: "clientAuth")
        let path = folder.write(mine.pem, to: "own.pem")
        let origin = ScriptedServer(tls: .server(localhost, version, demanding: authority)) { peer, _, server in
            server.note("\((peer as? SecurePeer)?.peerSerial ?? 0)")
            _ = peer.receiveMessage()
            peer.send(ok("x"))
        }
        let good = try gateway([origin.port]) { $0.upstreamTLS.certificate = path }
        #expect(good.exchange(request).hasSuffix("\r\n\r\nx"))
        #expect(origin.requests == ["\(mine.serial)"])
        let without = try gateway([origin.port])
        #expect(without.exchange(request).hasPrefix("HTTP/1.1 502 "))
        #expect(origin.requests.count == 1)
    }

    @Test("is met again where the last session ended", arguments: TLSSide.Version.allCases)
    func resumption(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer(tls: .server(localhost, version)) { peer, _, server in
            server.note("\((peer as? SecurePeer)?.isResumed == true)")
            _ = peer.receiveMessage()
            peer.send(ok("x", fields: "Connection: close\r\n"))
            peer.close()
        }
        let gateway = try gateway([origin.port])
        for _ in 0..<4 { #expect(gateway.exchange(request).hasSuffix("\r\n\r\nx")) }
        #expect(origin.requests == ["false", "true", "true", "true"])
    }

    @Test("whose tickets come while its connection idles keeps that connection")
    func tickets() throws {
        let origin = ScriptedServer(tls: .server(localhost, .tls13, tickets: 4)) { peer, _, server in
            while true {
                let message = peer.receiveMessage()
                if message.head.isEmpty { return }
                peer.send(ok("x"))
                // More of them, behind the response.
                (peer as? SecurePeer)?.sendTicket()
                server.note("served")
            }
        }
        let gateway = try gateway([origin.port])
        let client = gateway.connect()
        for round in 1...5 {
            // One that cannot be repeated is only sent on a connection that was looked at.
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            #expect(client.receiveMessage().body == "x")
            eventually { origin.requests.count >= round }
        }
        #expect(origin.connections == 1)
    }

    @Test("that says farewell while it idles is not used again, and nothing is lost")
    func idleFarewell() throws {
        let origin = ScriptedServer(tls: .server(localhost)) { peer, _, server in
            _ = peer.receiveMessage()
            peer.send(ok("x"))
            peer.close()
            server.note("closed")
        }
        let gateway = try gateway([origin.port])
        let client = gateway.connect()
        for round in 1...3 {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            #expect(client.receiveMessage().body == "x")
            eventually { origin.requests.count >= round }
        }
        #expect(origin.connections == 3)
    }

    @Test(
        "that ends a body by closing must say farewell, else the client sees that it was cut",
        arguments: TLSSide.Version.allCases)
    func truncation(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer(tls: .server(localhost, version)) { peer, number, _ in
            _ = peer.receiveMessage()
            peer.send("HTTP/1.1 200 OK\r\n\r\nhello")
            guard let secure = peer as? SecurePeer else { return }
            if number == 0 { secure.close() } else { secure.cut() }
        }
        let gateway = try gateway([origin.port])
        let whole = gateway.connect()
        whole.send(request)
        #expect(whole.receiveHead().contains("Transfer-Encoding: chunked\r\n"))
        #expect(whole.receiveChunks() == Array("hello".utf8))
        let torn = gateway.connect()
        torn.send(request)
        _ = torn.receiveHead()
        #expect(torn.receiveChunks() == nil)
        #expect(gateway.log().last?.contains(" reason=upstream-closed") == true)
    }

    @Test("that cuts a body of known length, chunks or a head is no answer either")
    func cutMessages() throws {
        for text in [
            "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
        ] {
            let origin = ScriptedServer(tls: .server(localhost)) { peer, _, _ in
                _ = peer.receiveMessage()
                peer.send(text)
                peer.close()
            }
            let gateway = try gateway([origin.port])
            let client = gateway.connect()
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            let answer = client.receiveAll()
            #expect(answer.hasPrefix("HTTP/1.1 502 ") || !answer.hasSuffix("hello") && !answer.hasSuffix("0\r\n\r\n"))
            #expect(gateway.log().first?.contains(" reason=upstream-closed") == true, "\(text)")
        }
    }

    @Test("that does not prove itself leaves its requests to another that does")
    func failover() throws {
        let bad = ScriptedServer.answering(ok("bad"), tls: .server(.selfSigned()))
        let good = ScriptedServer.answering(ok("good"), tls: .server(localhost))
        let gateway = try gateway([bad.port, good.port])
        for _ in 0..<6 {
            // A request that cannot be repeated goes on too: nothing of it was sent.
            let answer = gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
            #expect(answer.hasSuffix("\r\n\r\ngood"))
        }
        #expect(bad.requests.isEmpty)
    }

    @Test("that leaves in the middle of the handshake is not waited for")
    func leavesAtOnce() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receive()
            peer.sendRawAndFinish([0x16, 3, 3, 0x10, 0, 2])
            _ = peer.receiveAll()
        }
        let gateway = try gateway([origin.port])
        #expect(gateway.exchange(request).hasPrefix("HTTP/1.1 502 "))
        #expect(gateway.log().first?.hasSuffix(" reason=tls-closed") == true)
    }

    @Test("that speaks plain HTTP, or nothing, is told from one that refuses")
    func noTLS() throws {
        let plain = ScriptedServer { peer, _, _ in
            peer.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            _ = peer.receive()
        }
        let first = try gateway([plain.port])
        #expect(first.exchange(request).hasPrefix("HTTP/1.1 502 "))
        #expect(first.log().first?.hasSuffix(" reason=tls-malformed") == true)
        let silent = ScriptedServer { peer, _, _ in _ = peer.receiveAll() }
        let second = try gateway([silent.port]) { $0.timeouts.handshake = 200 }
        #expect(second.exchange(request).hasPrefix("HTTP/1.1 504 "))
        #expect(second.log().first?.hasSuffix(" reason=tls-timeout") == true)
        let closing = ScriptedServer { peer, _, _ in
            _ = peer.receive()
            peer.close()
        }
        let third = try gateway([closing.port])
        #expect(third.exchange(request).hasPrefix("HTTP/1.1 502 "))
        #expect(third.log().first?.hasSuffix(" reason=tls-closed") == true)
    }
}
