// SPDX-License-Identifier: Apache-2.0
import Engine
import Settings
import TestSupport
import Testing

@testable import Proxy

@Suite("The token bucket of a client") struct TokenBucketTests {
    private let second: UInt64 = 1_000_000_000

    @Test("lets the burst pass at once, then one for each interval, and says how long to wait")
    func burst() {
        let bucket = TokenBucket(perMinute: 600, burst: 3)
        var full: UInt64 = 0
        let now = 5 * second
        for number in 1...3 {
            #expect(bucket.take(full: full, at: now) == .pass(full: now + UInt64(number) * second / 10))
            full = now + UInt64(number) * second / 10
        }
        #expect(bucket.take(full: full, at: now) == .wait(second / 10))
        #expect(bucket.take(full: full, at: now + second / 10 - 1) == .wait(1))
        #expect(bucket.take(full: full, at: now + second / 10) == .pass(full: full + second / 10))
        // Waiting longer fills no more in than fits.
        var late = now + 1_000 * second
        for _ in 0..<3 {
            guard case .pass(let next) = bucket.take(full: full, at: late) else {
                Issue.record("a full bucket has its burst")
                return
            }
            full = next
        }
        #expect(bucket.take(full: full, at: late) == .wait(second / 10))
        late += second
        #expect(bucket.take(full: full, at: late) != .wait(1))
    }

    @Test("keeps to its rate over a long time, however the requests come")
    func rate() {
        let bucket = TokenBucket(perMinute: 90, burst: 5)
        var full: UInt64 = 0
        var passed = 0
        for step in 0..<60_000 {
            // 60 s in steps of 1 ms, with pauses.
            if step % 1_000 < 300 { continue }
            if case .pass(let next) = bucket.take(full: full, at: UInt64(step) * 1_000_000) {
                full = next
                passed += 1
            }
        }
        #expect(passed >= 90 && passed <= 95)
    }

    @Test("takes extreme settings and clocks")
    func extremes() {
        #expect(TokenBucket(perMinute: 0, burst: 0).take(full: 0, at: 0) == .pass(full: 60 * second))
        #expect(TokenBucket(perMinute: .max, burst: .max).take(full: 0, at: 1) == .pass(full: 1))
        #expect(TokenBucket(perMinute: 1, burst: .max).take(full: .max, at: 0) == .pass(full: .max))
        #expect(TokenBucket(Configuration.ClientLimits()) == nil)
        var limits = Configuration.ClientLimits()
        limits.rate = 30
        #expect(TokenBucket(limits) == TokenBucket(perMinute: 30, burst: 1))
        limits.rate = 600
        #expect(TokenBucket(limits) == TokenBucket(perMinute: 600, burst: 10))
    }
}

@Suite("The buckets of all clients") struct ClientRatesTests {
    private func v4(_ number: Int) -> SocketAddress { SocketAddress(ipv4: UInt32(number), port: 1) }
    private func v6(_ text: String) -> SocketAddress? { SocketAddress(numeric: text, port: 1) }

    @Test("are one for each address, whatever the port; IPv6 clients share that of their network")
    func clients() throws {
        let rates = ClientRates(TokenBucket(perMinute: 60, burst: 2))
        for client in [v4(1), v4(2), try #require(v6("2001:db8::1")), try #require(v6("2001:db8:0:1::1"))] {
            #expect(rates.take(client, at: 1_000) == 0)
            #expect(rates.take(client.with(port: 9), at: 1_000) == 0)
            #expect(rates.take(client, at: 1_000) == 1_000_000_000)
        }
        #expect(rates.take(try #require(v6("2001:db8::ffff")), at: 1_000) == 1_000_000_000)
    }

    @Test("give way to others in a table that is full, those that are full the longest first")
    func bounded() {
        let rates = ClientRates(TokenBucket(perMinute: 60, burst: 1), size: ClientRates.ways)
        for client in 0..<ClientRates.ways { #expect(rates.take(v4(client), at: UInt64(client + 1)) == 0) }
        for client in 0..<ClientRates.ways { #expect(rates.take(v4(client), at: 100) > 0) }
        #expect(rates.take(v4(1_000), at: 200) == 0)
        #expect(rates.take(v4(1_000), at: 200) > 0)
        #expect(rates.take(v4(1), at: 300) > 0)
        // The first was forgotten, and so begins anew.
        #expect(rates.take(v4(0), at: 300) == 0)
    }
}

@Suite("Limits of clients") struct ClientLimitTests {
    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test("a client that sends more than it may gets 429, and is told when to come back")
    func rate() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], workers: 2) {
            $0.clients.rate = 1
            $0.clients.burst = 3
        }
        var statuses: [String] = []
        let client = gateway.connect()
        for _ in 0..<5 {
            client.send(request)
            let message = client.receiveMessage()
            statuses.append(String(message.head.prefix(12)))
            if message.head.contains(" 429 ") { #expect(message.head.contains("\r\nRetry-After: 60\r\n")) }
        }
        #expect(statuses == ["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 429", "HTTP/1.1 429"])
        #expect(origin.requests.count == 3)
        #expect(gateway.log().filter { $0.contains("rate-limit") }.count == 2)
    }

    @Test("behind a trusted proxy the clients that it names are told apart, and those that others name are not")
    func proxies() throws {
        let origin = ScriptedServer.answering(ok("x"))
        func statuses(trusts: Bool) throws -> [String] {
            let gateway = try RunningGateway(upstreams: [origin.port]) {
                $0.clients.rate = 1
                $0.clients.burst = 1
                if trusts { $0.trustedProxies = [.init(bytes: [127, 0, 0, 0], prefix: 8)] }
            }
            return [
                "192.0.2.1", "198.51.100.1, 192.0.2.2 , 127.0.0.9", "198.51.100.2, 192.0.2.2", "[2001:db8::1]", "x",
                "192.0.2.7:80", "192.0.2.7",
            ].map {
                String(
                    gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \($0)\r\n\r\n").prefix(12).suffix(3)
                )
            }
        }
        #expect(try statuses(trusts: true) == ["200", "200", "429", "200", "200", "200", "429"])
        #expect(try statuses(trusts: false) == ["200", "429", "429", "429", "429", "429", "429"])
    }

    @Test("a client with more connections than it may have is told so; with far too many it is not listened to")
    func connections() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.clients.connections = 2 }
        let clients = (0..<2).map { _ in gateway.connect() }
        for client in clients {
            client.send(request)
            #expect(client.receiveMessage().body == "x")
        }
        let third = gateway.connect()
        third.send(request)
        let told = third.receiveAll()
        #expect(told.hasPrefix("HTTP/1.1 429 "))
        #expect(told.contains("\r\nConnection: close\r\n"))
        #expect(gateway.waitForConnections(2))
        let waiting = (0..<2).map { _ in gateway.connect() }
        #expect(gateway.waitForConnections(4))
        let tooMany = gateway.connect()
        #expect(tooMany.receiveAll().isEmpty)
        for client in waiting { client.close() }
        clients[0].close()
        #expect(gateway.waitForConnections(1))
        let again = gateway.connect()
        again.send(request)
        #expect(again.receiveMessage().body == "x")
    }

    @Test("a trusted proxy may have any number of connections")
    func trusted() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            $0.clients.connections = 1
            $0.trustedProxies = [.init(bytes: [127, 0, 0, 0], prefix: 8)]
        }
        let clients = (0..<4).map { _ in gateway.connect() }
        for client in clients {
            client.send(request)
            #expect(client.receiveMessage().body == "x")
        }
    }

    @Test("through TLS, too")
    func secure() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost]) {
            $0.clients.connections = 1
        }
        let first = gateway.connectSecurely()
        first.send(request)
        #expect(first.receiveMessage().body == "x")
        let second = gateway.connectSecurely()
        second.send(request)
        #expect(second.receiveAll().hasPrefix("HTTP/1.1 429 "))
    }
}
