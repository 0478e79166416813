// SPDX-License-Identifier: Apache-2.0
// Messages and records that cost the gateway more than they cost whoever sends them.

import Settings
import TestSupport
import Testing

@Suite("A flood through TLS") struct TLSFloodTests {
    private let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

    private func answering() throws -> RunningGateway {
        try RunningGateway(upstreams: [1], certificates: [localhost]) {
            // No deadline ends what shall end by itself.
            $0.timeouts.handshake = 1_000_000
            $0.routes = [Configuration.Route(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
        }
    }

    /// A client that is connected, and whose records the test carries.
    private func connect(_ gateway: RunningGateway, _ version: TLSSide.Version = .tls13) -> (Flights, Peer) {
        let client = Flights(.client(version))
        let peer = Peer(port: gateway.tlsPort)
        peer.send(client.next())
        while !client.isDone {
            let bytes = peer.receive()
            if bytes.isEmpty { break }
            client.take(bytes)
            peer.send(client.next())
        }
        return (client, peer)
    }

    private func isAnswered(_ client: Flights, _ peer: Peer) -> Bool {
        peer.send(client.records(of: Array(request.utf8)))
        var answer: [UInt8] = []
        while !answer.contains(where: { $0 == UInt8(ascii: "x") }) || answer.count < 20 {
            let bytes = peer.receive()
            if bytes.isEmpty { return false }
            client.take(bytes)
            answer += client.data()
        }
        return true
    }

    @Test("of new keys ends the connection, and a few do not")
    func keyUpdates() throws {
        let gateway = try answering()
        let (client, peer) = connect(gateway)
        for _ in 0..<3 {
            peer.send(client.keyUpdates(10))
            #expect(isAnswered(client, peer))
        }
        peer.send(client.keyUpdates(2_000))
        #expect(!isAnswered(client, peer))
        #expect(gateway.waitForConnections(0))
        let (another, anothersPeer) = connect(gateway)
        #expect(isAnswered(another, anothersPeer))
    }

    @Test("of new keys does so with data in between, too")
    func mixed() throws {
        let origin = ScriptedServer { peer, _, _ in _ = peer.receiveAll() }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let (client, peer) = connect(gateway)
        peer.send(
            client.records(of: Array("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".utf8)))
        for _ in 0..<500 { peer.send(client.keyUpdates(1) + client.records(of: [65])) }
        #expect(gateway.waitForConnections(0))
    }

    @Test("of records of one byte is a body like any other")
    func smallRecords() throws {
        let origin = ScriptedServer { peer, _, _ in
            while true {
                let message = peer.receiveMessage()
                if message.head.isEmpty { return }
                peer.send(ok(String(message.body.utf8.count) + "x"))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let (client, peer) = connect(gateway)
        var bytes = client.records(of: Array("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n".utf8))
        for _ in 0..<5_000 { bytes += client.records(of: [65]) }
        peer.send(bytes)
        var answer: [UInt8] = []
        while !String(decoding: answer, as: UTF8.self).hasSuffix("5000x") {
            let received = peer.receive()
            if received.isEmpty { break }
            client.take(received)
            answer += client.data()
        }
        #expect(String(decoding: answer, as: UTF8.self).hasSuffix("5000x"))
    }

    @Test("of records that a handshake ignores ends it")
    func changeCipherSpec() throws {
        let gateway = try answering()
        let client = Flights(.client(.tls13))
        let peer = Peer(port: gateway.tlsPort)
        peer.send(client.next())
        _ = peer.receive()
        // RFC 8446 section 5: a change_cipher_spec of this form is dropped.
        let record: [UInt8] = [20, 3, 3, 0, 1, 1]
        for _ in 0..<64 { if !peer.send((0..<1_000).flatMap { _ in record }) { break } }
        #expect(gateway.waitForConnections(0))
    }
}
