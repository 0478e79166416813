// SPDX-License-Identifier: Apache-2.0
import Bytes
import Settings
import Synchronization
import TestSupport
import Testing

/// An origin that answers `/health` as its script says and everything else in its own way.
final class CheckedOrigin: Sendable {
    /// What it answers to a check: a whole response, or nothing at all.
    let health = Lock(ok("fine"))
    let checks = Atomic<Int>(0)
    private let server = Lock<ScriptedServer?>(nil)
    var port: UInt16 { server.withLock { $0?.port ?? 0 } }
    var requests: [String] { server.withLock { $0?.requests ?? [] } }

    /// With no `response`, it takes requests and never answers.
    init(_ response: String?, tls: TLSSide? = nil, port: UInt16 = 0) {
        let made = ScriptedServer(tls: tls, port: port) { [weak self] peer, _, server in
            while true {
                let request = peer.receiveMessage()
                if request.head.isEmpty { return }
                if request.head.contains(" /health ") {
                    self?.checks.add(1, ordering: .relaxed)
                    let answer = self?.health.withLock { $0 } ?? ""
                    if !answer.isEmpty { peer.send(answer) }
                } else {
                    server.note(request.head)
                    if let response, !peer.send(response) { return }
                }
            }
        }
        server.withLock { $0 = made }
    }

    func fails(with answer: String) { health.withLock { $0 = answer } }
    func stop() { server.withLock { $0?.stop() } }
}

private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

extension Configuration {
    /// Checks that come soon, and wait for as long as a busy machine may take.
    mutating func checksSoon(path: String? = "/health") {
        pools[0].settings.check.isOn = true
        pools[0].settings.check.path = path
        pools[0].settings.check.interval = 100
        pools[0].settings.check.timeout = 20_000
        pools[0].settings.check.fall = 2
        pools[0].settings.slowStart = 0
    }
}

@Suite("Health checks") struct HealthTests {
    private let unavailable = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad"

    private func bodies(_ gateway: RunningGateway, _ count: Int) -> [String] {
        let client = gateway.connect()
        return (0..<count).map { _ in
            client.send(get)
            return client.receiveMessage().body
        }
    }

    private func reports(_ gateway: RunningGateway, _ text: String) -> Bool {
        gateway.reports.contains { $0.contains(text) }
    }

    @Test("take a server out whose answers are not as expected, and take it back, and say why")
    func status() throws {
        let origins = [CheckedOrigin(ok("one")), CheckedOrigin(ok("two"))]
        let gateway = try RunningGateway(upstreams: origins.map(\.port), workers: 2) { $0.checksSoon() }
        #expect(Set(bodies(gateway, 4)) == ["one", "two"])
        origins[0].fails(with: unavailable)
        eventually {
            reports(
                gateway,
                "is taken out: 2 health checks in a row failed; the last: expected a status of 200-399, got 500")
        }
        #expect(Set(bodies(gateway, 6)) == ["two"])
        origins[0].fails(with: ok("fine"))
        eventually { reports(gateway, "is back: 2 health checks in a row passed") }
        #expect(Set(bodies(gateway, 4)) == ["one", "two"])
    }

    @Test("look at the content where they are told to")
    func content() throws {
        let origins = [CheckedOrigin(ok("one")), CheckedOrigin(ok("two"))]
        origins[0].fails(with: ok("all is lost"))
        let gateway = try RunningGateway(upstreams: origins.map(\.port)) {
            $0.checksSoon()
            $0.pools[0].settings.check.body = "fine"
        }
        eventually { reports(gateway, "expected content with \"fine\", got 11 bytes without") }
        #expect(Set(bodies(gateway, 4)) == ["two"])
        #expect(!reports(gateway, ":\(origins[1].port) is taken out"))
    }

    @Test("take no more of an answer without end than they may")
    func endless() throws {
        let endless = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            peer.send("HTTP/1.1 200 OK\r\n\r\n")
            let piece = [UInt8](repeating: 65, count: 65_536)
            while peer.send(piece) {}
        }
        let gateway = try RunningGateway(upstreams: [endless.port]) {
            $0.checksSoon()
            $0.pools[0].settings.check.body = "fine"
        }
        eventually { reports(gateway, "got 65536 bytes without") }
    }

    @Test("without a path find a server that is not there before any request does")
    func connecting() throws {
        let dead = ScriptedServer.answering("")
        dead.stop()
        let alive = ScriptedServer.answering(ok("alive"))
        let gateway = try RunningGateway(upstreams: [dead.port, alive.port]) { $0.checksSoon(path: nil) }
        eventually { reports(gateway, "a health check failed; the last: expected a connection, got: ") }
        #expect(Set(bodies(gateway, 4)) == ["alive"])
        #expect(!gateway.log().contains { $0.contains("upstream-refused") })
    }

    @Test("through TLS are secured like every request")
    func secured() throws {
        let folder = TemporaryFolder()
        let roots = folder.write(authority.pem, to: "roots.pem")
        let origin = CheckedOrigin(ok("one"), tls: .server(localhost))
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            $0.checksSoon()
            $0.upstreamTLS.ca = roots
            $0.pools[0].servers[0].isTLS = true
        }
        eventually { origin.checks.load(ordering: .relaxed) >= 3 }
        #expect(!reports(gateway, "is taken out"))
        #expect(bodies(gateway, 1) == ["one"])
        let distrusting = try RunningGateway(upstreams: [origin.port]) {
            $0.checksSoon(path: nil)
            $0.upstreamTLS.ca = folder.write(CertificateAuthority("Other").pem, to: "others.pem")
            $0.pools[0].servers[0].isTLS = true
        }
        eventually { reports(distrusting, "the last: expected a secure connection, got: ") }
    }

    @Test("that fail move a GET that waits to another server, and leave a POST where it is")
    func moving() throws {
        let frozen = CheckedOrigin(nil)
        let well = CheckedOrigin(ok("well"))
        let gateway = try RunningGateway(upstreams: [frozen.port, well.port]) {
            $0.checksSoon()
            $0.timeouts.firstByte = 3_000
        }
        let reader = gateway.connect()
        reader.send(get)
        eventually { frozen.requests.count == 1 }
        // The other server's turn, and again the one that does not answer.
        #expect(gateway.exchange(get).hasSuffix("well"))
        let writer = gateway.connect()
        writer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")
        eventually { frozen.requests.count == 2 }
        frozen.fails(with: unavailable)
        #expect(reader.receiveMessage().body == "well")
        #expect(writer.receiveMessage().head.hasPrefix("HTTP/1.1 504 "))
        #expect(frozen.requests.count == 2)
        #expect(!well.requests.contains { $0.hasPrefix("POST") })
    }

    @Test("that all fail leave those that answer in use")
    func panic() throws {
        let origins = [CheckedOrigin(ok("one")), CheckedOrigin(ok("two"))]
        for origin in origins { origin.fails(with: unavailable) }
        let gateway = try RunningGateway(upstreams: origins.map(\.port)) { $0.checksSoon() }
        eventually { reports(gateway, "no server is well: those that answer badly are used") }
        #expect(Set(bodies(gateway, 4)) == ["one", "two"])
    }

    @Test("that are handshakes without an end do not take the last server out: they may be this machine's fault")
    func silentHandshake() throws {
        let mute = ScriptedServer { peer, _, _ in _ = peer.receiveAll() }
        let roots = TemporaryFolder()
        let gateway = try RunningGateway(upstreams: [mute.port]) {
            $0.upstreamTLS.ca = roots.write(authority.pem, to: "roots.pem")
            $0.pools[0].servers[0].isTLS = true
            $0.timeouts.handshake = 100
        }
        for _ in 0..<2 { #expect(gateway.exchange(get).hasPrefix("HTTP/1.1 504 ")) }
        #expect(mute.connections == 2)
        #expect(!reports(gateway, "is taken out"))
    }

    @Test("find nobody: 503 at once, and answers again soon after one is back")
    func allDown() throws {
        let origin = ScriptedServer.answering(ok("one"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.checksSoon(path: nil) }
        #expect(bodies(gateway, 1) == ["one"])
        let port = origin.port
        origin.stop()
        eventually { reports(gateway, "no server can be reached: requests get 503 until one can") }
        let answer = gateway.exchange(get)
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("Retry-After: 1\r\n"))
        let again = ScriptedServer(port: port) { peer, _, _ in
            while !peer.receiveMessage().head.isEmpty, peer.send(ok("again")) {}
        }
        eventually { reports(gateway, "there are servers to use again") }
        #expect(bodies(gateway, 1) == ["again"])
        #expect(again.connections > 0)
    }
}

@Suite("Failures of requests") struct EjectionTests {
    private let overloaded = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 40\r\nContent-Length: 4\r\n\r\nbusy"

    @Test("take a server out, for as long as it asks for, while clients get answers of others")
    func ejects() throws {
        let bad = ScriptedServer.answering(overloaded)
        let good = ScriptedServer.answering(ok("good"))
        let gateway = try RunningGateway(upstreams: [bad.port, good.port])
        let client = gateway.connect()
        for _ in 0..<30 {
            client.send(get)
            #expect(client.receiveMessage().body == "good")
        }
        #expect(bad.requests.count == 5)
        // What nobody wanted was read to its end, and the connection used again.
        #expect(bad.connections == 1)
        #expect(
            gateway.reports == [
                "pool default: http://127.0.0.1:\(bad.port) is taken out for 40 s: 5 requests in a row failed; the last: "
                    + "expected a response, got status 503"
            ])
    }

    @Test("with a status are not repeated for a request that is not safe")
    func notSafe() throws {
        let bad = ScriptedServer.answering(overloaded)
        let good = ScriptedServer.answering(ok("good"))
        let gateway = try RunningGateway(upstreams: [bad.port, good.port])
        #expect(gateway.exchange("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok").hasSuffix("busy"))
        #expect(gateway.exchange(get).hasSuffix("good"))
        #expect(gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok").hasSuffix("busy"))
        #expect(good.requests.count == 1)
    }

    @Test("reach the client as they are when nobody else can do better")
    func passedOn() throws {
        let bad = (0..<2).map { _ in ScriptedServer.answering(overloaded) }
        let gateway = try RunningGateway(upstreams: bad.map(\.port))
        let answer = gateway.exchange(get)
        #expect(answer.hasPrefix("HTTP/1.1 503 "))
        #expect(answer.contains("Retry-After: 40\r\n"))
        #expect(answer.hasSuffix("busy"))
        #expect(bad.map(\.requests.count) == [1, 1])
    }

    @Test("that are answers missing on a connection that has served before count like all others")
    func silentLater() throws {
        let falling = ScriptedServer { peer, _, server in
            while true {
                let head = peer.receiveHead()
                if head.isEmpty { return }
                server.note(head)
                if server.requests.count == 1 { peer.send(ok("first")) }
            }
        }
        let good = ScriptedServer.answering(ok("good"))
        let gateway = try RunningGateway(upstreams: [falling.port, good.port]) {
            $0.pools[0].settings.ejection.failures = 1
            $0.timeouts.firstByte = 200
        }
        let client = gateway.connect()
        for body in ["first", "good", "good"] {
            client.send(get)
            #expect(client.receiveMessage().body == body)
        }
        #expect(falling.connections == 1)
        #expect(falling.requests.count == 2)
        #expect(gateway.reports.contains { $0.contains(":\(falling.port) is taken out for ") })
    }

    @Test("are repeated only within the budget")
    func budget() throws {
        let breaking = ScriptedServer { peer, _, server in
            server.note(peer.receiveHead())
            peer.reset()
        }
        let good = ScriptedServer.answering(ok("good"))
        let gateway = try RunningGateway(upstreams: [breaking.port, good.port]) {
            $0.pools[0].settings.retries.budget = 0
            $0.pools[0].settings.retries.least = 0
        }
        #expect(gateway.exchange(get).hasPrefix("HTTP/1.1 502 "))
        #expect(gateway.exchange(get).hasSuffix("good"))
    }
}
