// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

/// Bytes in which a lost, doubled or displaced piece shows.
func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) } }

/// Certificates for the suites about TLS.
let authority = CertificateAuthority()
let localhost = authority.issue()

@Suite("Through TLS") struct TLSExchangeTests {
    private func answers(_ body: String) -> (inout Configuration) -> Void {
        { $0.routes = [.init(action: .answer(status: 200, contentType: "text/plain", body: body))] }
    }

    @Test("a request is answered, and the certificate that was asked for is shown", arguments: TLSSide.Version.allCases)
    func answers(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer.answering(ok("hello"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely(.client(version, trusting: authority))
        #expect(client.isSecure)
        #expect(client.version == version.rawValue)
        #expect(client.peerSerial == localhost.serial)
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "hello")
        client.close()
        #expect(gateway.log().first?.contains(" tls=\(version.rawValue) ") == true)
    }

    @Test("each name gets its own certificate, and others the first")
    func names() throws {
        let other = authority.issue(["*.other.example"])
        let gateway = try RunningGateway(upstreams: [1], certificates: [localhost, other])
        #expect(gateway.connectSecurely(name: "a.other.example").peerSerial == other.serial)
        #expect(gateway.connectSecurely(name: "b.example").peerSerial == localhost.serial)
        #expect(gateway.connectSecurely(name: nil).peerSerial == localhost.serial)
    }

    @Test(
        "a connection carries many requests, and pipelined ones in order, however many share a record",
        arguments: [1, 7, 100])
    func pipelining(_ together: Int) throws {
        let origin = ScriptedServer { peer, _, _ in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                peer.send(ok(String(head.split(separator: " ")[1])))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        for round in 0..<3 {
            client.send((0..<together).map { "GET /\(round)/\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            for number in 0..<together { #expect(client.receiveMessage().body == "/\(round)/\(number)") }
        }
    }

    @Test("a request may come in any records", arguments: TLSSide.Version.allCases)
    func records(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer { peer, _, _ in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                peer.send(ok(String(decoding: peer.receiveChunks() ?? Array("torn".utf8), as: UTF8.self)))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely(.client(version))
        let text = "POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        let request = Array(text.utf8)
        for cut in 1..<request.count {
            client.send(Array(request[..<cut]))
            client.send(Array(request[cut...]))
            #expect(client.receiveMessage().body == "hello", "cut at \(cut)")
        }
        for byte in request { client.send([byte]) }
        #expect(client.receiveMessage().body == "hello")
    }

    @Test("a record may come in any pieces")
    func pieces() throws {
        let gateway = try RunningGateway(upstreams: [1], certificates: [localhost], answers("x"))
        let client = gateway.connectSecurely()
        for byte in client.records(of: Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)) { client.sendRaw([byte]) }
        #expect(client.receiveMessage().body == "x")
        // Many records in one piece.
        var all: [UInt8] = []
        for byte in "GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8 { all += client.records(of: [byte]) }
        client.sendRaw(all)
        #expect(client.receiveMessage().body == "x")
    }

    @Test("an empty record is no end and no data")
    func emptyRecord() throws {
        let gateway = try RunningGateway(upstreams: [1], certificates: [localhost], answers("x"))
        let client = gateway.connectSecurely(.client(.tls12))
        // SSL_write refuses to send nothing in TLS 1.3, and in 1.2 sends an empty record.
        client.sendRaw(client.records(of: []))
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "x")
    }

    static let sizes = [0, 1, 4095, 4096, 4097, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 200_000]

    @Test("bodies of every size pass both ways byte for byte", arguments: TLSSide.Version.allCases, [false, true])
    func bodies(_ version: TLSSide.Version, _ secureUpstream: Bool) throws {
        let origin = ScriptedServer(tls: secureUpstream ? .server(localhost, version) : nil) { peer, _, _ in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                let content: [UInt8]
                if head.contains("Transfer-Encoding: chunked") {
                    content = peer.receiveChunks() ?? []
                } else {
                    content = peer.receiveBytes(count: length(head))
                }
                if head.contains("/chunked") {
                    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    peer.send(chunked(content, by: 10_000))
                } else {
                    peer.send(Array("HTTP/1.1 200 OK\r\nContent-Length: \(content.count)\r\n\r\n".utf8) + content)
                }
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost]) {
            $0.pools[0].servers[0].isTLS = secureUpstream
            $0.upstreamTLS.verifies = false
        }
        let client = gateway.connectSecurely(.client(version))
        for size in Self.sizes {
            let body = pattern(size)
            client.send(Array("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n".utf8) + body)
            var head = client.receiveHead()
            #expect(length(head) == size)
            #expect(client.receiveBytes(count: size) == body, "\(size) bytes with a length")
            client.send("POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send(chunked(body, by: 7_000))
            head = client.receiveHead()
            #expect(head.contains("Transfer-Encoding: chunked"))
            #expect(client.receiveChunks() == body, "\(size) bytes in chunks")
        }
    }

    @Test("a slow reader gets everything, and meanwhile the server has to wait")
    func backPressure() throws {
        let size = 30_000_000
        let body = pattern(size)
        let origin = ScriptedServer { peer, _, server in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            peer.send(body)
            server.note("sent")
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely(receiveBuffer: 16_384)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = client.receiveHead()
        // A third of it: more than sockets hold is still with the server, which cannot have sent it.
        var received = client.receiveBytes(count: size / 3)
        #expect(origin.requests.isEmpty, "all of the body is in the gateway")
        received += client.receiveBytes(count: size - received.count)
        #expect(received == body)
    }

    @Test("an upload waits for a slow server and arrives whole")
    func slowServer() throws {
        let body = pattern(20_000_000)
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            var all: [UInt8] = []
            var turns = 0
            while all.count < body.count {
                let piece = peer.receive()
                if piece.isEmpty { return }
                all += piece
                turns += 1
                // Lets the sender run into a full socket now and then.
                if turns % 40 == 0 { dawdle() }
            }
            peer.send(ok(all == body ? "same" : "other"))
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
        #expect(client.send(body))
        #expect(client.receiveMessage().body == "same")
    }

    @Test("a WebSocket's tunnel carries bytes both ways")
    func tunnel() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
            while true {
                let bytes = peer.receive()
                if bytes.isEmpty { break }
                peer.send(bytes)
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly")
        #expect(client.receiveHead().hasPrefix("HTTP/1.1 101 "))
        #expect(client.receive(count: 10) == "firstearly")
        let bytes = pattern(100_000)
        client.send(bytes)
        #expect(client.receiveBytes(count: bytes.count) == bytes)
        client.finishSending()
        #expect(client.isClosedByPeer())
    }

    @Test("sessions are resumed, in the same way when only the connection was cut", arguments: TLSSide.Version.allCases)
    func resumption(_ version: TLSSide.Version) throws {
        let gateway = try RunningGateway(upstreams: [1], certificates: [localhost], answers("x"))
        let side = TLSSide.client(version)
        let first = gateway.connectSecurely(side)
        #expect(!first.isResumed)
        first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(first.receiveMessage().body == "x")
        let session = try #require(first.session)
        first.cut()
        let second = gateway.connectSecurely(side, resuming: session)
        #expect(second.isResumed)
        second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(second.receiveMessage().body == "x")
    }

    @Test("tickets reach a client that sends no request")
    func tickets() throws {
        let gateway = try RunningGateway(upstreams: [1], certificates: [localhost], answers("x"))
        let client = gateway.connectSecurely(.client(.tls13))
        #expect(client.takeInTickets())
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "x")
    }
}

/// What `Content-Length` says; -1 without one.
func length(_ head: String) -> Int {
    for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length: ") {
        return Int(line.dropFirst(16)) ?? -1
    }
    return -1
}

/// `content` as a chunked body.
func chunked(_ content: [UInt8], by size: Int) -> [UInt8] {
    var all: [UInt8] = []
    var start = 0
    while start < content.count {
        let end = min(start + size, content.count)
        all += Array("\(String(end - start, radix: 16))\r\n".utf8) + content[start..<end] + [13, 10]
        start = end
    }
    return all + Array("0\r\n\r\n".utf8)
}
