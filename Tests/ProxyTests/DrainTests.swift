// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Settings
import TestSupport
import Testing

@Suite("Stopping") struct DrainTests {
    @Test("lets what is in flight finish, and says that the connection ends")
    func finishes() throws {
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            // Answers only once the gateway has been told to stop: it opens no gate of its own.
            gate.wait()
            peer.send(ok("finished"))
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.drain = 10_000 }
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually { !origin.requests.isEmpty }
        let port = gateway.port
        DispatchQueue.global().async {
            // The listener is gone once a connection is refused; then the answer may come.
            eventually { !Peer(port: port).send("x") }
            gate.signal()
        }
        #expect(gateway.stop() == 0)
        let message = client.receiveMessage()
        #expect(message.body == "finished")
        #expect(message.head.contains("Connection: close\r\n"))
        #expect(gateway.log().count == 1)
    }

    @Test("cuts what outlasts the deadline, and records it")
    func cuts() throws {
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually { !origin.requests.isEmpty }
        #expect(gateway.stop() == 1)
        #expect(client.isClosedByPeer())
        #expect(gateway.log().count == 1)
    }
}

private let gate = DispatchSemaphore(value: 0)
