// SPDX-License-Identifier: Apache-2.0
// What comes to a loop in one batch of events. The sanitizers see what is touched after it was freed.

import Bytes
import Chaos
import Foundation
import Settings
import Synchronization
import TestSupport
import Testing

@Suite("In one batch of events") struct OneBatchTests {
    /// More than a loop keeps for use again, so that what ends is freed.
    private static let many = 300

    @Test("resets of clients and bytes of servers touch no exchange that is gone")
    func resetsAndBytes() throws {
        let answering = Lock<[Peer]>([])
        let server = ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                guard head.hasPrefix("GET /long") else {
                    guard peer.send(ok("ok", fields: "Cache-Control: no-store\r\n")) else { return }
                    continue
                }
                let fields = "Content-Type: text/html\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n"
                peer.send("HTTP/1.1 200 OK\r\n\(fields)\r\n3\r\nabc\r\n")
                answering.withLock { $0.append(peer) }
                server.note(head)
                return
            }
        }
        let gateway = try RunningGateway(upstreams: [server.port])
        func askAll(_ target: String) -> [Peer] {
            let peers = (0..<Self.many).map { _ in gateway.connect() }
            for peer in peers {
                peer.send("GET \(target) HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
            }
            return peers
        }
        let waiting = askAll("/long")
        for peer in waiting { #expect(peer.receiveHead().hasPrefix("HTTP/1.1 200")) }
        eventually("all are answered") { answering.withLock { $0.count } == Self.many }
        // Those end, and as many exchanges as are kept are spare.
        for peer in askAll("/") { #expect(peer.receiveMessage().body == "ok") }
        let noise = SeededGenerator.letters(15_000)
        gateway.whileTheLoopStands {
            for peer in answering.withLock({ $0 }) { peer.send("3A98\r\n" + noise + "\r\n") }
            for peer in waiting { peer.reset() }
        }
        #expect(gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").hasSuffix("ok"))
        #expect(gateway.waitForBlocks(0))
    }

    @Test("a server's reset is no end of a body, though the deadline is looked at first")
    func resetAndDeadline() throws {
        let (server, answering) = beginningServer()
        let gateway = try RunningGateway(upstreams: [server.port]) { $0.timeouts.read = 100 }
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = client.receiveHead()
        #expect(head.hasPrefix("HTTP/1.1 200") && client.receive(count: 8) == "3\r\nabc\r\n")
        // Safe because the gateway may be asked this by any thread, and lives until the end of the test.
        nonisolated(unsafe) let other = gateway
        gateway.whileTheLoopStands {
            // What comes next on the loop's queue, and makes it look at its deadlines before it hears of the reset.
            Thread.detachNewThread { unsafe other.whileTheLoopStands {} }
            pause(milliseconds: 100)
            answering.peer?.reset()
            pause(milliseconds: 200)
        }
        #expect(client.receiveAll() == "")
    }

    @Test("a server's reset is no end of a body, though sending hears of it first")
    func resetAndUpload() throws {
        let (server, answering) = beginningServer()
        let gateway = try RunningGateway(upstreams: [server.port])
        let client = gateway.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nsome")
        let head = client.receiveHead()
        #expect(head.hasPrefix("HTTP/1.1 200") && client.receive(count: 8) == "3\r\nabc\r\n")
        gateway.whileTheLoopStands {
            client.send("more")
            answering.peer?.reset()
        }
        #expect(client.receiveAll() == "")
    }

    private final class Answering: Sendable {
        private let kept = Lock<Peer?>(nil)
        var peer: Peer? {
            get { kept.withLock { $0 } }
            set { kept.withLock { $0 = newValue } }
        }
    }

    /// A server that begins a body which ends with its connection, and its end of that connection.
    private func beginningServer() -> (ScriptedServer, Answering) {
        let answering = Answering()
        let server = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            answering.peer = peer
            peer.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\nabc")
        }
        return (server, answering)
    }
}
