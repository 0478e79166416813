// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("A request whose upstream connection fails") struct RetryTests {
    @Test("on a reused connection before any answer is sent once more, on a new one, when it is idempotent")
    func replaysIdempotent() throws {
        let origin = ScriptedServer { peer, number, server in
            let request = peer.receiveMessage()
            server.note(request.head)
            peer.send(ok("\(number)"))
            // The first connection serves one request and dies under the second.
            if number == 0 {
                _ = peer.receiveHead()
                peer.reset()
                return
            }
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().body == "0")
        client.send("PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
        #expect(client.receiveMessage().body == "1")
        #expect(origin.connections == 2)
    }

    @Test("after it was sent is not repeated when it is a POST")
    func neverRepeatsPost() throws {
        let origin = ScriptedServer { peer, _, server in
            server.note(peer.receiveMessage().head)
            peer.reset()
        }
        let other = ScriptedServer { peer, _, server in
            server.note(peer.receiveMessage().head)
            peer.reset()
        }
        let gateway = try RunningGateway(upstreams: [origin.port, other.port])
        #expect(
            gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok").hasPrefix("HTTP/1.1 502 "))
        #expect(origin.requests.count + other.requests.count == 1)
    }

    @Test("to be made goes to the next server, whatever the method")
    func nextServer() throws {
        let dead = ScriptedServer.answering("")
        dead.stop()
        let alive = ScriptedServer.answering(ok("alive"))
        let gateway = try RunningGateway(upstreams: [dead.port, alive.port])
        let client = gateway.connect()
        for _ in 0..<6 {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
            #expect(client.receiveMessage().body == "alive")
        }
        #expect(alive.requests.count == 6)
    }

    @Test("everywhere gets a 503 that says so")
    func allDead() throws {
        let dead = ScriptedServer.answering("")
        dead.stop()
        let gateway = try RunningGateway(upstreams: [dead.port])
        let answer = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("Retry-After: 1\r\n"))
        #expect(answer.contains("could not be connected to"))
        #expect(gateway.log().first?.hasSuffix("reason=upstream-refused") == true)
    }

    @Test("goes to a backup server only when no other is left")
    func backup() throws {
        let dead = ScriptedServer.answering("")
        let backup = ScriptedServer.answering(ok("backup"))
        let main = ScriptedServer.answering(ok("main"))
        let gateway = try RunningGateway(upstreams: [main.port, backup.port]) { $0.pools[0].servers[1].isBackup = true }
        for _ in 0..<3 { #expect(gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").hasSuffix("main")) }
        dead.stop()
        let failing = try RunningGateway(upstreams: [dead.port, backup.port]) { $0.pools[0].servers[1].isBackup = true }
        for _ in 0..<3 { #expect(failing.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").hasSuffix("backup")) }
    }

    @Test("while its body is being sent leaves the client with the answer, if the server gave one before it closed")
    func answerBeforeClose() throws {
        let origin = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
            peer.close()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
        // Goes on sending into a connection that its server has closed.
        client.send([UInt8](repeating: 65, count: 3_000_000))
        let answer = client.receiveAll()
        #expect(answer.hasPrefix("HTTP/1.1 403 ") || answer.hasPrefix("HTTP/1.1 502 "))
        #expect(answer.components(of: "HTTP/1.1 ") == 1)
    }

    @Test("again and again is not sent to every server there is")
    func boundedRepetition() throws {
        let servers = (0..<4).map { _ in
            ScriptedServer { peer, _, server in
                server.note(peer.receiveHead())
                peer.reset()
            }
        }
        let gateway = try RunningGateway(upstreams: servers.map(\.port))
        #expect(gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 502 "))
        #expect(servers.map(\.requests.count).reduce(0, +) == 2)
    }
}
