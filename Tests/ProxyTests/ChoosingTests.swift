// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("Choosing servers") struct ChoosingTests {
    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    private func gateway(
        _ origins: [ScriptedServer], workers: Int = 1, _ edit: (inout Configuration.PoolSettings) -> Void
    ) throws -> RunningGateway {
        var settings = Configuration.PoolSettings()
        edit(&settings)
        return try RunningGateway(upstreams: origins.map(\.port), workers: workers) { $0.pools[0].settings = settings }
    }

    private func origins(_ count: Int = 4) -> [ScriptedServer] {
        (0..<count).map { ScriptedServer.answering(ok("\($0)")) }
    }

    @Test(
        "by hash sends what is alike to one server, on every loop, and the rest elsewhere",
        arguments: [
            ("path", "GET /%@ HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("header:X-User", "GET / HTTP/1.1\r\nHost: a\r\nx-user: %@\r\n\r\n"),
            ("cookie:u", "GET / HTTP/1.1\r\nHost: a\r\nCookie: v=1; u=%@\r\n\r\n"),
        ])
    func hash(_ key: String, _ template: String) throws {
        let origins = origins()
        let gateway = try gateway(origins, workers: 2) {
            $0.balance.method = .hash
            $0.balance.hashKey = key
        }
        var servers: Set<String> = []
        // The system chooses the ports, and they decide where a key goes: a few keys may all miss one of the servers.
        for value in 0..<1_000 where value < 24 || servers.count < 4 {
            let answers = (0..<4).map { _ in
                String(gateway.exchange(template.replacing("%@", with: "user\(value)")).suffix(1))
            }
            #expect(Set(answers).count == 1)
            servers.formUnion(answers)
        }
        #expect(servers.count == 4)
    }

    @Test("by hash of the address sends a client to one server")
    func address() throws {
        let gateway = try gateway(origins()) { $0.balance.method = .hash }
        #expect(Set((0..<12).map { _ in gateway.exchange(request).suffix(1) }).count == 1)
    }

    @Test(
        "by least connections passes over a server that is busy",
        arguments: [
            Configuration.BalanceMethod.leastConnections, .powerOfTwo,
        ])
    func leastConnections(_ method: Configuration.BalanceMethod) throws {
        let slow = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            _ = peer.receiveAll()
        }
        let fast = ScriptedServer.answering(ok("fast"))
        let gateway = try gateway([slow, fast]) {
            $0.balance.method = method
            $0.check.isOn = false
        }
        // One after the other, until one hangs on the slow one.
        var hanging: [Peer] = []
        while slow.requests.isEmpty, hanging.count < 100 {
            let client = gateway.connect()
            client.send(request)
            hanging.append(client)
            eventually { slow.requests.count + fast.requests.count == hanging.count }
            if slow.requests.isEmpty { #expect(client.receiveMessage().body == "fast") }
        }
        for _ in 0..<20 { #expect(gateway.exchange(request).hasSuffix("fast")) }
        #expect(slow.requests.count <= 2)
        for client in hanging { client.reset() }
    }

    @Test("by cookie leads a client back to the server that answered it, and only there is the cookie renewed")
    func sticky() throws {
        let origins = origins()
        let gateway = try gateway(origins, workers: 2) { $0.balance.stickyCookie = "server" }
        for _ in 0..<6 {
            let first = gateway.exchange(request)
            let line = try #require(first.split(separator: "\r\n").first { $0.hasPrefix("Set-Cookie: server=") })
            let cookie = try #require(line.dropFirst(12).split(separator: ";").first)
            // Digits alone may be there by chance.
            #expect(!line.contains("127.0.0.1") && !origins.contains { line.contains(":\($0.port)") })
            for _ in 0..<5 {
                let again = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=y; \(cookie)\r\n\r\n")
                #expect(again.suffix(1) == first.suffix(1))
                #expect(!again.contains("Set-Cookie"))
            }
        }
        let forged = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nCookie: server=0123456789abcdef\r\n\r\n")
        #expect(forged.contains("\r\nSet-Cookie: server="))
    }

    @Test("a client whose server is gone is led to another")
    func stickyGone() throws {
        let origins = origins(2)
        let gateway = try gateway(origins) { $0.balance.stickyCookie = "server" }
        let first = gateway.exchange(request)
        let line = try #require(first.split(separator: "\r\n").first { $0.hasPrefix("Set-Cookie: ") })
        let cookie = try #require(line.dropFirst(12).split(separator: ";").first)
        let gone = try #require(Int(first.suffix(1)))
        origins[gone].stop()
        let again = gateway.exchange("GET /2 HTTP/1.1\r\nHost: a\r\nCookie: \(cookie)\r\n\r\n")
        // Its idle connection may still have answered.
        if again.suffix(1) != first.suffix(1) {
            #expect(again.hasPrefix("HTTP/1.1 200 "))
            #expect(again.contains("\r\nSet-Cookie: server="))
        }
    }

    /// The cookie that a client has been given.
    private func cookie(_ answer: String) -> String {
        let line = answer.split(separator: "\r\n").first { $0.hasPrefix("Set-Cookie: ") } ?? ""
        return String(line.dropFirst(12).prefix { $0 != ";" })
    }

    @Test("a client that was led to a backup server is led away when another can be used again")
    func stickyBackup() throws {
        let main = ScriptedServer.answering(ok("main"))
        let port = main.port
        main.stop()
        let backup = ScriptedServer.answering(ok("backup"))
        let gateway = try RunningGateway(upstreams: [port, backup.port]) {
            $0.checksSoon(path: nil)
            $0.pools[0].settings.balance.stickyCookie = "server"
            $0.pools[0].servers[1].isBackup = true
        }
        let first = gateway.exchange(request)
        #expect(first.hasSuffix("backup"))
        let stuck = "GET / HTTP/1.1\r\nHost: a\r\nCookie: \(cookie(first))\r\n\r\n"
        #expect(gateway.exchange(stuck).hasSuffix("backup"))
        let again = ScriptedServer.answering(ok("main"), port: port)
        eventually { gateway.exchange(stuck).hasSuffix("main") }
        #expect(again.requests.count >= 1)
    }

    @Test("a client stays with a server that drains, but not with one that is not well")
    func stickyDraining() throws {
        let origins = [CheckedOrigin(ok("one")), CheckedOrigin(ok("two"))]
        let gateway = try RunningGateway(upstreams: origins.map(\.port)) {
            $0.checksSoon()
            $0.admin = .init(address: "127.0.0.1", port: 0)
            $0.pools[0].settings.balance.stickyCookie = "server"
        }
        let first = gateway.exchange(request)
        #expect(first.hasSuffix("one"))
        let stuck = "GET / HTTP/1.1\r\nHost: a\r\nCookie: \(cookie(first))\r\n\r\n"
        let administrator = gateway.connectToAdmin()
        administrator.request(
            "/upstreams/default/127.0.0.1:\(origins[0].port)/drain", "", method: "POST", host: "127.0.0.1", minor: 1)
        #expect(administrator.reply(to: "POST").status == 200)
        #expect(gateway.exchange(stuck).hasSuffix("one"))
        origins[0].fails(with: "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad")
        eventually { gateway.exchange(stuck).hasSuffix("two") }
    }

    @Test("keeps connections open for those who come, and makes closed ones anew")
    func warm() throws {
        let origin = ScriptedServer { peer, number, server in
            if number < 2 {
                peer.close()
                return
            }
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                peer.send(ok("\(number)"))
            }
        }
        let gateway = try gateway([origin]) {
            $0.balance.warm = 2
            $0.check.isOn = false
        }
        eventually { origin.connections >= 4 }
        #expect(gateway.exchange(request).hasPrefix("HTTP/1.1 200 "))
        #expect(origin.requests.count == 1)
    }
}
