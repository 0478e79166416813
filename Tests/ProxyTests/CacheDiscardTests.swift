// SPDX-License-Identifier: Apache-2.0
// Bodies that nobody wants, from servers that send them without end.

import Bytes
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Proxy

@Suite("A body that nobody wants") struct CacheDiscardTests {
    /// How a server sends a body that never ends.
    enum Endless: CaseIterable { case fast, slow, announced }

    /// Sends it until the gateway closes.
    private static func send(_ how: Endless, _ head: String, to peer: Peer, _ sent: borrowing Lock<Int>) {
        switch how {
        case .fast, .slow: peer.send("HTTP/1.1 \(head)Transfer-Encoding: chunked\r\n\r\n")
        case .announced: peer.send("HTTP/1.1 \(head)Content-Length: 100000000000\r\n\r\n")
        }
        let piece = how == .slow ? "1\r\nx\r\n" : how == .fast ? "8000\r\n" + letters(32_768) + "\r\n" : letters(32_768)
        while peer.send(piece) {
            sent.withLock { $0 += piece.utf8.count }
            if how == .slow { _ = await10ms() }
        }
    }

    @Test("after a validation that failed is bounded in bytes and in time", arguments: Endless.allCases)
    func failedValidation(_ how: Endless) throws {
        let sent = Lock(0)
        let closed = Gate()
        let server = ScriptedServer { peer, number, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                guard head.contains("If-None-Match") else {
                    peer.send(
                        response("x", "Cache-Control: max-age=1, stale-if-error=600\r\nAge: 5\r\nETag: \"a\"\r\n"))
                    continue
                }
                Self.send(how, "503 Service Unavailable\r\n", to: peer, sent)
                closed.open()
                return
            }
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let reply = gateway.ask()
        #expect(reply.status == 200)
        #expect(reply.cacheStatus.contains("stale-if-error"))
        #expect(closed.pass() && sent.withLock { $0 } < 16 << 20)
    }

    @Test("because another server is asked instead is bounded in bytes and in time", arguments: Endless.allCases)
    func askedElsewhere(_ how: Endless) throws {
        let sent = Lock(0)
        let closed = Gate()
        let bad = ScriptedServer { peer, _, _ in
            if peer.receiveHead().isEmpty { return }
            Self.send(how, "503 Service Unavailable\r\n", to: peer, sent)
            closed.open()
        }
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
        #expect(closed.pass() && sent.withLock { $0 } < 16 << 20)
    }

    @Test("of a refresh that may not be stored is not read at all")
    func refresh() throws {
        let sent = Lock(0)
        let closed = Gate()
        let server = ScriptedServer { peer, number, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                guard server.requests.count > 1 else {
                    peer.send(response("x", "Cache-Control: max-age=1, stale-while-revalidate=600\r\nAge: 5\r\n"))
                    continue
                }
                Self.send(.fast, "200 OK\r\nCache-Control: no-store\r\n", to: peer, sent)
                closed.open()
                return
            }
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask().body == "x")
        #expect(closed.pass() && sent.withLock { $0 } < 16 << 20)
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
