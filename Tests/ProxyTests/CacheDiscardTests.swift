// SPDX-License-Identifier: Apache-2.0
// Bodies that nobody wants, from servers that send them without end.

import Bytes
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Proxy

/// A body without an end, as a server sends it until the gateway closes the connection.
final class EndlessBody: Sendable {
    enum Kind: CaseIterable { case fast, slow, announced }

    private let kind: Kind
    private let sent = Lock(0)
    private let closed = Gate()

    init(_ kind: Kind) { self.kind = kind }

    /// Sends it behind a head, of which the framing is missing.
    func send(_ head: String, to peer: Peer) {
        switch kind {
        case .fast, .slow: peer.send("HTTP/1.1 \(head)Transfer-Encoding: chunked\r\n\r\n")
        case .announced: peer.send("HTTP/1.1 \(head)Content-Length: 100000000000\r\n\r\n")
        }
        let piece: String =
            switch kind {
            case .fast: "8000\r\n" + letters(32_768) + "\r\n"
            case .slow: "1\r\nx\r\n"
            case .announced: letters(32_768)
            }
        while peer.send(piece) {
            sent.withLock { $0 += piece.utf8.count }
            if kind == .slow { dawdle() }
        }
        closed.open()
    }

    /// A server that answers with `response`, and a request that is `wanted` with `head` and the body.
    func server(
        _ response: String, then head: String, wanted: @escaping @Sendable (_ request: String, _ number: Int) -> Bool
    ) -> ScriptedServer {
        ScriptedServer { [self] peer, _, server in
            while true {
                let request = peer.receiveHead()
                if request.isEmpty { return }
                server.note(request)
                if wanted(request, server.requests.count) { return send(head, to: peer) }
                peer.send(response)
            }
        }
    }

    /// Whether the gateway closed the connection before much of it had come.
    func isCutShort() -> Bool { closed.pass() && sent.withLock { $0 } < 16 << 20 }
}

@Suite("A body that nobody wants") struct CacheDiscardTests {
    @Test("after a validation that failed is bounded in bytes and in time", arguments: EndlessBody.Kind.allCases)
    func failedValidation(_ kind: EndlessBody.Kind) throws {
        let body = EndlessBody(kind)
        let server = body.server(
            response("x", "Cache-Control: max-age=1, stale-if-error=600\r\nAge: 5\r\nETag: \"a\"\r\n"),
            then: "503 Service Unavailable\r\n"
        ) { request, _ in request.contains("If-None-Match") }
        let gateway = try CachingGateway(server)
        gateway.store()
        let reply = gateway.ask()
        #expect(reply.status == 200)
        #expect(reply.cacheStatus.contains("stale-if-error"))
        #expect(body.isCutShort())
    }

    @Test(
        "because another server is asked instead is bounded in bytes and in time", arguments: EndlessBody.Kind.allCases)
    func askedElsewhere(_ kind: EndlessBody.Kind) throws {
        let body = EndlessBody(kind)
        let bad = body.server("", then: "503 Service Unavailable\r\n") { _, _ in true }
        let good = origin { _, _ in response("good", "") }
        let gateway = try RunningGateway(upstreams: [bad.port, good.port])
        defer { gateway.stop() }
        var bodies: [String] = []
        for _ in 0..<2 {
            let peer = gateway.connect()
            peer.request()
            bodies.append(peer.reply().body)
        }
        #expect(bodies == ["good", "good"])
        #expect(body.isCutShort())
    }

    @Test("of a refresh that may not be stored is not read at all")
    func refresh() throws {
        let body = EndlessBody(.fast)
        let server = body.server(
            response("x", "Cache-Control: max-age=1, stale-while-revalidate=600\r\nAge: 5\r\n"),
            then: "200 OK\r\nCache-Control: no-store\r\n"
        ) { _, number in number > 1 }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask().body == "x")
        #expect(body.isCutShort())
    }

    @Test("as a download without readers ends after ten minutes at the latest, however it gets on")
    func longest() {
        var patience = DownloadPatience(isLengthKnown: true, isRefresh: true)
        func goesOn(_ received: Int, at now: UInt64) -> Bool {
            patience.goesOn(received: received, isRead: false, now: now)
        }
        #expect(goesOn(0, at: 5))
        #expect(goesOn(1 << 30, at: 600_004))
        #expect(!goesOn(1 << 30, at: 600_005))
    }
}
