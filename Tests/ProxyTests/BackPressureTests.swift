// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("Back-pressure") struct BackPressureTests {
    @Test("lets an upload through whole, however the server stops and goes on reading", arguments: 0..<4)
    func uploads(_ round: Int) throws {
        let size = 20_000_000
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            var count = 0
            var turns = 0
            while count < size {
                let piece = peer.receive()
                if piece.isEmpty { return }
                count += piece.count
                turns += 1
                // Lets the sender run into a full socket now and then.
                if turns % 40 == 0 { dawdle() }
            }
            peer.send(ok("\(count)"))
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
        #expect(client.send([UInt8](repeating: 65, count: size)))
        #expect(client.receiveMessage().body == "\(size)")
    }

    @Test("lets a download through whole, however slowly the client reads")
    func downloads() throws {
        let size = 10_000_000
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            peer.send([UInt8](repeating: 65, count: size))
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect(receiveBuffer: 65_536)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = client.receiveHead()
        var count = 0
        var turns = 0
        while count < size {
            let piece = client.receive()
            if piece.isEmpty { break }
            count += piece.count
            turns += 1
            if turns % 100 == 0 { dawdle() }
        }
        #expect(count == size)
    }

    @Test("of a slow client does not run the server's deadline")
    func pausedServer() throws {
        let size = 30_000_000
        // Made beforehand: that takes longer than the deadline on a busy machine.
        let response =
            Array("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n".utf8) + [UInt8](repeating: 65, count: size)
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send(response)
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.timeouts.read = 500 }
        let client = gateway.connect(receiveBuffer: 4096)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        // Three times as long as the server may be silent.
        for _ in 0..<150 { dawdle() }
        _ = client.receiveHead()
        #expect(client.receive(count: size).utf8.count == size)
    }
}
