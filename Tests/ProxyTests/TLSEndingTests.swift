// SPDX-License-Identifier: Apache-2.0
// RFC 8446 section 6.1, RFC 9110 section 9.8: close_notify stands for "this was all", so it must come when it was and must not
// when it was not.

import Settings
import TestSupport
import Testing

@Suite("The end of a TLS connection") struct TLSEndingTests {
    @Test("comes with close_notify behind the last response", arguments: TLSSide.Version.allCases, [0, 5, 100_000])
    func farewell(_ version: TLSSide.Version, _ size: Int) throws {
        let body = String(repeating: "a", count: size)
        let origin = ScriptedServer.answering(ok(body))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely(.client(version))
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(client.receiveAll().hasSuffix("\r\n\r\n" + body))
        #expect(client.end == .farewell)
    }

    @Test("comes with close_notify where it says that an HTTP/1.0 response without a length is whole")
    func untilClose() throws {
        let origin = ScriptedServer.sendingAndClosing(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        #expect(client.receiveAll().hasSuffix("\r\n\r\nok"))
        #expect(client.end == .farewell)
    }

    @Test("comes without close_notify when a response that only the end delimits is incomplete")
    func truncated() throws {
        let origin = ScriptedServer.sendingAndClosing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        _ = client.receiveAll()
        #expect(client.end == .cut)
    }

    @Test("comes with a chunked body that has no end when the response is incomplete")
    func truncatedChunks() throws {
        let origin = ScriptedServer.sendingAndClosing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(!client.receiveAll().hasSuffix("0\r\n\r\n"))
    }

    @Test("comes with close_notify to a connection that idles for too long")
    func idle() throws {
        let origin = ScriptedServer.answering(ok("a"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost]) { $0.timeouts.idle = 100 }
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "a")
        #expect(client.receiveAll() == "")
        #expect(client.end == .farewell)
    }

    @Test("by the client's close_notify alone lets it have its answer")
    func halfClose() throws {
        let origin = ScriptedServer.answering(ok("still here"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.finishSending()
        #expect(client.receiveAll().hasSuffix("still here"))
        #expect(client.end == .farewell)
    }

    @Test("by a reset takes the upstream request with it")
    func clientGone() throws {
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            if peer.isClosedByPeer() { server.note("closed") }
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually { !origin.requests.isEmpty }
        client.reset()
        eventually { origin.requests.count >= 2 }
        #expect(origin.requests.last == "closed")
        #expect(gateway.waitForConnections(0))
        #expect(gateway.log().first?.contains(" 499 ") == true)
    }

    @Test("in the middle of a request's body is no end of it", arguments: [false, true])
    func cutBody(_ withFarewell: Bool) throws {
        let origin = ScriptedServer { peer, _, server in
            let head = peer.receiveHead()
            if !head.isEmpty { server.note("\(peer.receiveChunks() != nil)") }
        }
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost])
        let client = gateway.connectSecurely()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        if withFarewell { client.close() } else { client.cut() }
        #expect(gateway.waitForConnections(0))
        // The gateway may not have asked the server when it was left, or have connected and asked nothing.
        eventually { origin.connections == 0 || origin.hasEnded }
        #expect(!origin.requests.contains("true"))
    }

    @Test("by broken records is an alert and no answer")
    func brokenRecord() throws {
        let gateway = try RunningGateway(upstreams: [1], certificates: [localhost]) {
            $0.routes = [.init(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
        }
        let client = gateway.connectSecurely()
        var record = client.records(of: Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        record[record.count - 1] ^= 1
        client.sendRaw(record)
        #expect(client.receiveAll() == "")
        // bad_record_mac (RFC 8446 section 6.2).
        #expect(client.end == .alert(20))
        #expect(gateway.waitForConnections(0))
    }
}
