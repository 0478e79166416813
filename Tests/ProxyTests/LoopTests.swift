// SPDX-License-Identifier: Apache-2.0
// A gateway whose upstream server leads back to it.

import Bytes
import Foundation
import Settings
import Synchronization
import TestSupport
import Testing

/// A port that is known later.
private final class LaterPort: Sendable {
    private let port = Lock<UInt16>(0)
    var value: UInt16 { port.withLock { $0 } }
    func set(_ value: UInt16) { port.withLock { $0 = value } }
}

@Suite("A request that comes back") struct LoopTests {
    /// Sends what it gets to `port` as `rewrite` has it, up to `limit` times, and answers with what comes.
    private static func relay(
        to port: LaterPort, limit: Int = 6, _ rewrite: @escaping @Sendable (String) -> String
    ) -> ScriptedServer {
        ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveMessage().head
                if head.isEmpty { return }
                server.note(head)
                guard server.requests.count < limit else {
                    peer.send(response("end", ""))
                    return
                }
                let next = Peer(port: port.value)
                next.send(rewrite(head))
                let reply = next.reply()
                peer.send(response(reply.body, "Cache-Control: no-store\r\n", status: "\(reply.status) Relayed"))
            }
        }
    }

    private static func removing(_ names: String...) -> @Sendable (String) -> String {
        { head in
            head.components(separatedBy: "\r\n").filter { line in
                !names.contains { line.lowercased().hasPrefix($0.lowercased() + ":") }
            }.joined(separator: "\r\n")
        }
    }

    @Test(
        "ends at the second visit with 508, whoever wrote the fields in between",
        arguments: ["as it is", "without Via", "without CDN-Loop", "in capitals", "behind others"])
    func ends(_ how: String) throws {
        let port = LaterPort()
        let server = Self.relay(to: port) { head in
            switch how {
            case "without Via": Self.removing("Via")(head)
            case "without CDN-Loop": Self.removing("CDN-Loop")(head)
            case "in capitals": head.replacing("gateway-", with: "GATEWAY-")
            case "behind others":
                head.replacing("Via: ", with: "Via: 1.0 fred, HTTP/1.1 p.example:80 (Apache, \"x\"), ").replacing(
                    "CDN-Loop: ", with: "CDN-Loop: foo.example; trace=\"a,b\" ,")
            default: head
            }
        }
        let gateway = try CachingGateway(server)
        port.set(gateway.gateway.port)
        #expect(gateway.ask("/a").status == 508)
        #expect(server.requests.count == 1)
        #expect(gateway.ask("/a", "Content-Length: 0\r\n", method: "POST").status == 508)
        #expect(server.requests.count == 2)
        // Both exchanges of the loop are in the log, and neither was stored.
        #expect(gateway.files.isEmpty)
        eventually { gateway.gateway.log().filter { $0.contains("loop") }.count == 2 }
    }

    @Test("may come as often as the operator says, and is no matter of other gateways' names")
    func visits() throws {
        let port = LaterPort()
        let server = Self.relay(to: port) { $0 }
        let gateway = try CachingGateway(server) { $0.limits.visits = 3 }
        port.set(gateway.gateway.port)
        #expect(gateway.ask("/a", "Content-Length: 0\r\n", method: "POST").status == 508)
        #expect(server.requests.count == 3)
        let own = ScriptedServer.answering(ok("own"))
        let stranger = try RunningGateway(upstreams: [own.port])
        let fields = "Via: 1.1 gateway, 1.1 gateway-0123456789abcdef\r\nCDN-Loop: gateway-0123456789abcdef\r\n"
        #expect(stranger.exchange("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n").hasPrefix("HTTP/1.1 200 "))
        #expect(own.requests[0].contains("\r\nCDN-Loop: gateway-0123456789abcdef, gateway-"))
        #expect(own.requests[0].contains("\r\nVia: 1.1 gateway, 1.1 gateway-0123456789abcdef, 1.1 gateway-"))
    }
}
