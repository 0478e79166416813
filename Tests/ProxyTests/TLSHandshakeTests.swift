// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Settings
import TestSupport
import Testing

@Suite("A TLS handshake") struct TLSHandshakeTests {
    private func gateway(_ configure: (inout Configuration) -> Void = { _ in }) throws -> RunningGateway {
        try RunningGateway(upstreams: [1], certificates: [localhost]) {
            $0.routes = [.init(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
            configure(&$0)
        }
    }

    private func isServed(_ client: SecurePeer) -> Bool {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.receiveMessage().body == "x"
    }

    @Test(
        "that is an HTTP request is told where it went wrong",
        arguments: [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "HEAD / HTTP/1.0\r\n\r\n", "PUT /" + String(repeating: "a", count: 3000) + " HTTP/1.1\r\nHost: a\r\n\r\n",
        ])
    func plainHTTP(_ request: String) throws {
        let gateway = try gateway()
        let client = Peer(port: gateway.tlsPort)
        client.send(request)
        let answer = client.receiveAll()
        #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(answer.contains("https://"))
        let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(length(String(parts[0])) == parts[1].utf8.count)
        client.close()
        #expect(gateway.waitForConnections(0))
        let line = gateway.log().first ?? ""
        #expect(line.contains("\"-\" 000 0 "))
        #expect(line.hasSuffix(" reason=http-on-tls-port"))
    }

    @Test("that its client has given up before the first answer is not gone on with")
    func givenUp() throws {
        let gateway = try gateway()
        let hello = Flights(.client()).next()
        let client = Peer(port: gateway.tlsPort)
        client.sendRawAndFinish(hello)
        let answer = Array(client.receiveAll().utf8)
        // A fatal alert and no ServerHello (RFC 8446 section 6.2).
        #expect(answer == [0x15, 3, 3, 0, 2, 2, 40])
        client.close()
        #expect(gateway.waitForConnections(0))
        #expect(gateway.log().first?.hasSuffix(" reason=tls-closed") == true)
    }

    @Test("that makes no sense gets an alert")
    func garbage() throws {
        let gateway = try gateway()
        let hello = Flights(.client()).next()
        for bytes in [
            [0x16, 3, 1, 0, 4, 1, 0, 0, 0], [0x17, 3, 3, 0, 1, 0], [0x16, 3, 1, 0xFF, 0xFF] + pattern(100),
            // A list of extensions that is longer than the message.
            Array(hello.prefix(60)) + [UInt8](repeating: 0xFF, count: hello.count - 60),
        ] {
            let client = Peer(port: gateway.tlsPort)
            client.send(bytes)
            client.finishSending()
            let answer = Array(client.receiveAll().utf8)
            // Record type alert (RFC 8446 section 5.1).
            #expect(answer.first == 0x15, "\(bytes.prefix(8))")
        }
        #expect(gateway.waitForConnections(0))
        let lines = gateway.log()
        #expect(lines.count == 4)
        #expect(lines.allSatisfy { $0.contains(" reason=tls-") })
    }

    @Test(
        "that is not TLS at all is answered by an alert and closed",
        arguments: [[UInt8](repeating: 0xFF, count: 100), Array("SSH-2.0-x\r\n".utf8)])
    func notTLS(_ bytes: [UInt8]) throws {
        let gateway = try gateway()
        let client = Peer(port: gateway.tlsPort)
        client.send(bytes)
        #expect(Array(client.receiveAll().utf8) == [0x15, 3, 3, 0, 2, 2, 10])
        client.close()
        #expect(gateway.waitForConnections(0))
        #expect(gateway.log().first?.hasSuffix(" reason=tls-malformed") == true)
    }

    @Test("with an older version is refused, and the log says so")
    func version() throws {
        let gateway = try gateway { $0.tls.minimumVersion = .tls13 }
        // protocol_version (RFC 8446 section 6.2).
        #expect(gateway.connectSecurely(.client(.tls12)).end == .alert(70))
        #expect(isServed(gateway.connectSecurely(.client(.tls13))))
        #expect(gateway.log().first?.hasSuffix(" reason=tls-version") == true)
    }

    @Test("that stalls ends at its deadline and gives its place back", arguments: [0, 1, 5, 100])
    func stalled(_ count: Int) throws {
        let gateway = try gateway { $0.timeouts.handshake = 200 }
        let client = Peer(port: gateway.tlsPort)
        // The start of a record that never becomes whole.
        client.send(Array(([0x16, 3, 1, 2, 0] + [UInt8](repeating: 1, count: 200)).prefix(count)))
        #expect(client.isClosedByPeer())
        #expect(gateway.waitForConnections(0))
        #expect(gateway.log().first?.hasSuffix(" reason=tls-timeout") == true)
    }

    @Test("that the client leaves gives its place back", arguments: [false, true])
    func left(_ byReset: Bool) throws {
        let gateway = try gateway()
        let client = Peer(port: gateway.tlsPort)
        client.send([0x16, 3, 1, 2, 0, 1])
        #expect(gateway.waitForConnections(1))
        if byReset { client.reset() } else { client.close() }
        #expect(gateway.waitForConnections(0))
        let line = gateway.log().first ?? ""
        #expect(line.hasSuffix(" reason=tls-closed") || line.hasSuffix(" reason=tls-broken"), "\(line)")
    }

    @Test("that the client leaves with its last bytes does not wait for more")
    func leftAtOnce() throws {
        let gateway = try gateway()
        for bytes in [[0x16, 3, 1, 2, 0, 1], Array(Flights(.client()).next().dropLast())] {
            let client = Peer(port: gateway.tlsPort)
            #expect(gateway.waitForConnections(1))
            client.sendRawAndFinish(bytes)
            #expect(gateway.waitForConnections(0))
        }
        let lines = gateway.log()
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.hasSuffix(" reason=tls-closed") }, "\(lines)")
    }

    @Test(
        "that ends together with the connection leaves nothing, and a request that came with it is answered",
        arguments: TLSSide.Version.allCases)
    func endsAtOnce(_ version: TLSSide.Version) throws {
        let gateway = try gateway { $0.timeouts.header = 1_000_000 }
        for request in ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let client = Flights(.client(version))
            let peer = Peer(port: gateway.tlsPort)
            peer.send(client.next())
            var last: [UInt8] = []
            while !client.isDone, last.isEmpty {
                let piece = peer.receive()
                if piece.isEmpty { break }
                client.take(piece)
                last = client.next()
            }
            if version == .tls13, !request.isEmpty {
                last += client.records(of: Array(request.utf8)) + client.farewell()
            }
            peer.sendRawAndFinish(last)
            var text = ""
            while true {
                let piece = peer.receive()
                if piece.isEmpty { break }
                client.take(piece)
                text += String(decoding: client.data(), as: UTF8.self)
            }
            // In TLS 1.2 nothing may be sent before the server's Finished.
            #expect(text.hasPrefix("HTTP/1.1 200 ") == (!request.isEmpty && version == .tls13))
            #expect(gateway.waitForConnections(0))
        }
    }

    @Test("beyond the limit is refused, while connections that stand go on, and places come back")
    func limit() throws {
        let gateway = try gateway { $0.limits.handshakes = 2 }
        let standing = gateway.connectSecurely()
        #expect(isServed(standing))
        let stalled = (0..<2).map { _ in Peer(port: gateway.tlsPort) }
        #expect(gateway.waitForConnections(3))
        for _ in 0..<3 { #expect(!gateway.connectSecurely().isSecure) }
        #expect(isServed(standing))
        stalled[0].close()
        #expect(gateway.waitForConnections(2))
        #expect(isServed(gateway.connectSecurely()))
        #expect(isServed(standing))
    }

    @Test("in flight while the gateway stops is not waited for longer than the deadline")
    func drain() throws {
        let gateway = try gateway { $0.timeouts.drain = 200 }
        let client = Peer(port: gateway.tlsPort)
        client.send([0x16, 3, 1])
        #expect(gateway.waitForConnections(1))
        #expect(gateway.stop() == 1)
        #expect(client.isClosedByPeer())
        #expect(gateway.waitForConnections(0))
    }

    @Test("that ends while the gateway stops gets one answer, which says that it was the last")
    func finishesWhileDraining() throws {
        let gateway = try gateway { $0.timeouts.drain = 10_000 }
        let port = gateway.tlsPort
        let result = Answer()
        let isDone = DispatchSemaphore(value: 0)
        let client = Flights(.client(.tls12))
        let peer = Peer(port: port)
        peer.send(client.next())
        #expect(gateway.waitForConnections(1))
        DispatchQueue.global().async {
            // The listener is gone once a connection is refused.
            eventually { !Peer(port: port).send([0x16]) }
            while !client.isDone {
                let piece = peer.receive()
                if piece.isEmpty { break }
                client.take(piece)
                peer.send(client.next())
            }
            peer.send(client.records(of: Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)))
            var text = ""
            while true {
                let piece = peer.receive()
                if piece.isEmpty { break }
                client.take(piece)
                text += String(decoding: client.data(), as: UTF8.self)
            }
            peer.close()
            result.text = text
            isDone.signal()
        }
        #expect(gateway.stop() == 0)
        isDone.wait()
        #expect(result.text.hasPrefix("HTTP/1.1 200 ") && result.text.contains("Connection: close\r\n"))
    }

    /// `@unchecked Sendable` is safe because it is written before a semaphore is signalled and read after that was waited for.
    private final class Answer: @unchecked Sendable {
        var text = ""
    }

    @Test("allows no early data")
    func earlyData() throws {
        let gateway = try gateway()
        let first = gateway.connectSecurely(.client(.tls13))
        #expect(first.takeInTickets())
        // RFC 8446 section 4.6.1: a ticket without max_early_data_size allows none.
        #expect(first.session?.allowsEarlyData == false)
    }
}
