// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("What the cache stores") struct CacheStoringTests {
    @Test(
        "is not what is for one user, or for nobody",
        arguments: [
            ("Cache-Control: private, max-age=60\r\n", "private"), ("Cache-Control: no-store\r\n", "no-store"),
            ("Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", "set-cookie"),
            ("Server: x\r\n", "no-lifetime-no-validator"),
        ])
    func refused(_ fields: String, _ word: String) throws {
        let server = origin { _, _ in response("x", fields) }
        let gateway = try CachingGateway(server)
        let reply = gateway.ask()
        #expect(reply.cacheStatus == "gateway; fwd=uri-miss; detail=\(word)")
        #expect(reply.body == "x")
        #expect(!gateway.ask().isHit)
        #expect(gateway.files.isEmpty)
    }

    @Test("is the answer to Authorization only where the origin allows it")
    func authorization() throws {
        let server = origin { head, number in
            response("\(number)", "Cache-Control: max-age=60\(head.contains("/public") ? ", public" : "")\r\n")
        }
        let gateway = try CachingGateway(server)
        let fields = "Authorization: Basic eDp5\r\n"
        #expect(gateway.ask("/", fields).cacheStatus.contains("detail=authorization"))
        #expect(!gateway.ask("/", fields).isHit)
        gateway.store("/public", fields)
        #expect(gateway.ask("/public").isHit)
    }

    @Test("has no field that a directive names, but the one who asked gets it")
    func qualified() throws {
        let server = origin { _, _ in
            response(
                "x",
                "Cache-Control: max-age=60, no-cache=\"X-Yours\", private=\"X-Mine\"\r\nX-Yours: 1\r\nX-Mine: 1\r\n")
        }
        let gateway = try CachingGateway(server)
        let first = gateway.store()
        #expect(first.field("X-Yours") == "1")
        #expect(first.field("X-Mine") == "1")
        let second = gateway.ask()
        #expect(second.isHit)
        #expect(second.all("X-Yours").isEmpty)
        #expect(second.all("X-Mine").isEmpty)
    }

    @Test("with a cookie is what the operator says: without the field, or with it, also by the route")
    func cookies() throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n") }
        let gateway = try CachingGateway(server) {
            var kept = Configuration.Route(action: .pool("default"))
            kept.path = "/kept"
            kept.cache = .init(setCookie: .keep)
            var refused = Configuration.Route(action: .pool("default"))
            refused.path = "/refused"
            refused.cache = .init(setCookie: .refuse)
            $0.cache.setCookie = .strip
            $0.routes = [kept, refused, Configuration.Route(action: .pool("default"))]
        }
        for target in ["/kept", "/"] { #expect(gateway.store(target).field("Set-Cookie") == "a=b") }
        let kept = gateway.ask("/kept")
        #expect(kept.isHit)
        #expect(kept.field("Set-Cookie") == "a=b")
        let stripped = gateway.ask("/")
        #expect(stripped.isHit)
        #expect(stripped.all("Set-Cookie").isEmpty)
        #expect(gateway.ask("/refused").cacheStatus.contains("detail=set-cookie"))
        #expect(!gateway.ask("/refused").isHit)
    }

    @Test("with no-cache is asked about each time")
    func noCache() throws {
        let server = origin { head, number in
            head.contains("If-None-Match")
                ? "HTTP/1.1 304 Not Modified\r\nCache-Control: no-cache\r\nETag: \"1\"\r\n\r\n"
                : response("\(number)", "Cache-Control: no-cache\r\nETag: \"1\"\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.ask()
        eventually { gateway.gateway.storedResponses == 1 }
        for count in 2...4 {
            let reply = gateway.ask()
            #expect(reply.body == "0")
            #expect(reply.cacheStatus.contains("detail=response-no-cache"))
            #expect(server.requests.count == count)
            // The renewed head is written before the next one asks.
            eventually { gateway.gateway.storedResponses == count }
        }
    }

    @Test("without a lifetime of its own lives as long as the operator says, where it may")
    func heuristics() throws {
        let server = origin { head, number in
            response("\(number)", "", status: head.contains("/302") ? "302 Found" : "200 OK")
        }
        let gateway = try CachingGateway(server) { $0.cache.defaultLifetime = 100 }
        gateway.store()
        let reply = gateway.ask()
        #expect(reply.isHit)
        #expect(reply.cacheStatus.contains("ttl=100") || reply.cacheStatus.contains("ttl=9"))
        gateway.ask("/302")
        #expect(!gateway.ask("/302").isHit)
    }

    @Test("with a Last-Modified lives for a tenth of its age where the operator says so")
    func guesses() throws {
        let server = origin { _, number in
            response("\(number)", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
        }
        let gateway = try CachingGateway(server) { $0.cache.guessesLifetimes = true }
        gateway.store()
        #expect(gateway.ask().isHit)
    }

    @Test(
        "may be errors and redirects with a lifetime, with their status",
        arguments: ["404 Not Found", "301 Moved Permanently", "500 Oops", "204 No Content", "299 Odd"])
    func statuses(_ status: String) throws {
        let fields = "Cache-Control: max-age=60\r\nLocation: /there\r\n"
        let server = origin { _, _ in
            status.hasPrefix("204") ? "HTTP/1.1 \(status)\r\n\(fields)\r\n" : response("x", fields, status: status)
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let peer = gateway.gateway.connect()
        for _ in 0..<2 {
            peer.request()
            let reply = peer.reply()
            #expect(reply.isHit)
            #expect(reply.status == Int(status.prefix(3)))
            #expect(reply.field("Location") == "/there")
            #expect(reply.body == (status.hasPrefix("204") ? "" : "x"))
        }
        #expect(server.requests.count == 1)
    }

    @Test("goes by the route: off, or with a lifetime of its own")
    func routes() throws {
        let server = origin { head, number in response("\(number)", "") }
        let gateway = try CachingGateway(server) {
            var off = Configuration.Route(action: .pool("default"))
            off.path = "/off"
            off.cache = .init(isOn: false)
            var long = Configuration.Route(action: .pool("default"))
            long.path = "/long"
            long.cache = .init(defaultLifetime: 1000)
            $0.cache.defaultLifetime = 10
            $0.routes = [off, long, Configuration.Route(action: .pool("default"))]
        }
        #expect(gateway.ask("/off").cacheStatus == "gateway; fwd=bypass")
        #expect(!gateway.ask("/off").isHit)
        gateway.store("/long")
        gateway.store("/")
        #expect((gateway.ask("/long").cacheStatus.split(separator: "=").last.flatMap { Int($0) } ?? 0) > 900)
        #expect((gateway.ask("/").cacheStatus.split(separator: "=").last.flatMap { Int($0) } ?? 99) <= 10)
    }

    @Test("goes when an unsafe request succeeds, and what its answer names of the same origin")
    func invalidation() throws {
        let server = origin { head, number in
            let target = head.split(separator: " ")[1]
            if head.hasPrefix("GET") { return response("\(number)", "Cache-Control: max-age=600\r\n") }
            if target == "/fails" { return response("", "Location: /a\r\n", status: "400 Bad") }
            return response("", "Location: /a\r\nContent-Location: http://h/b?x\r\n", status: "201 Created")
        }
        let gateway = try CachingGateway(server)
        let targets = ["/a", "/b?x", "/c", "/fails"]
        for target in targets { gateway.store(target, host: "h") }
        gateway.store("/a", host: "other")
        gateway.ask("/fails", "Content-Length: 0\r\n", method: "POST", host: "h")
        for target in targets { #expect(gateway.ask(target, host: "h").isHit) }
        gateway.ask("/c", "Content-Length: 0\r\n", method: "PUT", host: "h")
        for target in ["/a", "/b?x", "/c"] { #expect(!gateway.ask(target, host: "h").isHit, "\(target)") }
        #expect(gateway.ask("/fails", host: "h").isHit)
        #expect(gateway.ask("/a", host: "other").isHit)
    }

    @Test("stays when another origin is named")
    func otherOrigin() throws {
        let server = origin { head, number in
            head.hasPrefix("GET")
                ? response("\(number)", "Cache-Control: max-age=600\r\n")
                : response("", "Location: http://h/a\r\nContent-Location: https://evil/a\r\n", status: "201 Created")
        }
        let gateway = try CachingGateway(server)
        gateway.store("/a", host: "h")
        gateway.ask("/a", "Content-Length: 0\r\n", method: "POST", host: "evil")
        #expect(gateway.ask("/a", host: "h").isHit)
    }

    @Test("is not what was asked for before a change and comes after it")
    func invalidatedWhileFetched() throws {
        let gate = Gate()
        let server = origin { head, number in
            if head.hasPrefix("POST") { return response("", "") }
            if number == 0 { gate.pass() }
            return response("\(number)", "Cache-Control: max-age=600\r\n")
        }
        let gateway = try CachingGateway(server)
        let peer = gateway.begin()
        gateway.ask("/", "Content-Length: 0\r\n", method: "POST")
        gate.open()
        #expect(peer.reply().body == "0")
        gateway.store("/another")
        #expect(gateway.ask().body != "0")
    }
}
