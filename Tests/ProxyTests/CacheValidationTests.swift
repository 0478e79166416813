// SPDX-License-Identifier: Apache-2.0
import Proxy
import Settings
import Synchronization
import TestSupport
import Testing

@Suite("A stale response") struct CacheValidationTests {
    private static let old =
        "Cache-Control: max-age=10\r\nAge: 20\r\nETag: \"v1\"\r\n"
        + "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

    @Test("is asked about with its validators, and served from the cache with the new fields on 304")
    func notModified() throws {
        let server = origin { head, _ in
            guard head.contains("If-None-Match") else {
                return response("body", Self.old + "X-Kept: 1\r\nX-New: 0\r\n")
            }
            return "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nETag: \"v1\"\r\nX-New: 1\r\n\r\n"
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let second = gateway.ask(
            "/", "If-None-Match: \"client\"\r\nIf-Modified-Since: Sun, 06 Nov 2011 08:49:37 GMT\r\n")
        #expect(server.requests.count == 2)
        let asked = server.requests[1]
        #expect(asked.contains("If-None-Match: \"v1\"\r\n"))
        #expect(asked.contains("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"))
        #expect(!asked.contains("client"))
        #expect(second.status == 200)
        #expect(second.body == "body")
        #expect(second.all("Age").isEmpty)
        #expect(second.field("X-New") == "1")
        #expect(second.field("X-Kept") == "1")
        #expect(second.field("Cache-Control") == "max-age=60")
        #expect(second.cacheStatus.hasPrefix("gateway; fwd=stale; fwd-status=304; ttl="))
        // And so from then on.
        gateway.store()
        let third = gateway.ask()
        #expect(third.isHit)
        #expect(third.body == "body")
        #expect(third.field("X-New") == "1")
        #expect(server.requests.count == 2)
    }

    @Test("gives fields of the 304 that are not stored to the client whose request brought them, and to nobody else")
    func fieldsForOneClient() throws {
        let server = origin { head, _ in
            guard head.contains("If-None-Match") else { return response("body", Self.old + "X-Kept: 1\r\n") }
            return "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60, private=\"X-Mine\"\r\nETag: \"v1\"\r\n"
                + "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Mine: 3\r\nConnection: X-Hop\r\nX-Hop: 4\r\n\r\n"
        }
        let gateway = try CachingGateway(server) { $0.cache.setCookie = .strip }
        gateway.store()
        let second = gateway.ask()
        #expect(second.cacheStatus.contains("fwd-status=304"))
        #expect(second.all("Set-Cookie") == ["a=1", "b=2"])
        #expect(second.field("X-Mine") == "3")
        #expect(second.all("X-Hop").isEmpty)
        #expect(second.field("X-Kept") == "1")
        #expect(second.body == "body")
        gateway.store()
        let third = gateway.ask()
        #expect(third.isHit)
        #expect(third.all("Set-Cookie").isEmpty)
        #expect(third.all("X-Mine").isEmpty)
        #expect(third.body == "body")
    }

    @Test("that a 304 forbids to keep is served this once and forgotten", arguments: ["no-store", "private"])
    func forbidden(_ directive: String) throws {
        let server = origin { head, _ in
            head.contains("If-None-Match")
                ? "HTTP/1.1 304 Not Modified\r\nCache-Control: \(directive)\r\nETag: \"v1\"\r\n\r\n"
                : response("body", Self.old)
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let second = gateway.ask()
        #expect(second.body == "body")
        #expect(second.all("Age").isEmpty)
        eventually { gateway.files.isEmpty }
        #expect(gateway.ask().cacheStatus.contains("fwd=uri-miss"))
        #expect(!server.requests[2].contains("If-None-Match"))
    }

    @Test("that a 304 speaks of something else is fetched anew, and stored")
    func mismatch() throws {
        let server = origin { head, number in
            head.contains("If-None-Match")
                ? "HTTP/1.1 304 Not Modified\r\nETag: \"other\"\r\n\r\n"
                : number == 0
                    ? response("old", Self.old) : response("new", "Cache-Control: max-age=60\r\nETag: \"v2\"\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let second = gateway.ask()
        #expect(second.status == 200)
        #expect(second.body == "new")
        #expect(server.requests.count == 3)
        gateway.store()
        #expect(gateway.ask().body == "new")
        #expect(server.requests.count == 3)
    }

    @Test("is replaced by a full answer")
    func replaced() throws {
        let server = origin { _, number in
            number == 0 ? response("old", Self.old) : response("new", "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask().body == "new")
        eventually { gateway.ask().isHit }
        #expect(gateway.ask().body == "new")
        #expect(server.requests.count == 2)
    }

    @Test("goes when a full answer may not be stored")
    func replacedByNothing() throws {
        let server = origin { _, number in
            number == 0 ? response("old", Self.old) : response("new", "Cache-Control: no-store\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask().body == "new")
        // Who asks while what was stored is still being put away goes past it, and leaves it to the next.
        eventually {
            gateway.ask()
            return gateway.files.isEmpty
        }
    }

    @Test("gives way to the origin's error, and stays, where nothing allows it to stand in")
    func error() throws {
        let server = origin { head, number in
            number == 0
                ? response("old", Self.old)
                : number == 1
                    ? response("no", "", status: "503 Service Unavailable")
                    : "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let second = gateway.ask()
        #expect(second.status == 503)
        #expect(second.body == "no")
        #expect(gateway.ask().body == "old")
    }

    @Test("stands in for the origin's error where stale-if-error says so", arguments: [500, 502, 503, 504])
    func staleIfError(_ status: Int) throws {
        let server = origin { _, number in
            number == 0
                ? response("old", "Cache-Control: max-age=10, stale-if-error=1000\r\nAge: 20\r\nETag: \"v1\"\r\n")
                : response("no", "", status: "\(status) No")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let second = gateway.ask()
        #expect(second.status == 200)
        #expect(second.body == "old")
        #expect((second.field("Age").flatMap { Int($0) } ?? 0) >= 20)
        #expect(second.cacheStatus.contains("fwd=stale; fwd-status=\(status)"))
        #expect(second.cacheStatus.contains("detail=stale-if-error"))
    }

    @Test("stands in for an error by the request's own word")
    func requestStaleIfError() throws {
        let server = origin { _, number in
            number == 0 ? response("old", Self.old) : response("no", "", status: "500 No")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask("/", "Cache-Control: stale-if-error=1000\r\n").body == "old")
        #expect(gateway.ask().status == 500)
    }

    @Test(
        "never stands in where it must be validated",
        arguments: ["must-revalidate", "proxy-revalidate", "s-maxage=10", "no-cache"])
    func mustRevalidate(_ directive: String) throws {
        let server = origin { _, number in
            number == 0
                ? response(
                    "old", "Cache-Control: max-age=10, stale-if-error=1000, \(directive)\r\nAge: 20\r\nETag: \"v1\"\r\n"
                )
                : response("no", "", status: "500 No")
        }
        let gateway = try CachingGateway(server)
        gateway.ask()
        eventually { gateway.gateway.storedResponses == 1 }
        #expect(gateway.ask("/", "Cache-Control: stale-if-error=1000, max-stale\r\n").status == 500)
        #expect(server.requests[1].contains("If-None-Match"))
    }

    @Test("stands in for an origin that cannot be reached, where that is allowed")
    func unreachable() throws {
        let server = ScriptedServer { peer, number, server in
            let head = peer.receiveHead()
            guard !head.isEmpty, server.requests.count < 2 else { return }
            server.note(head)
            let allowed = head.contains("/allowed") ? "stale-if-error=1000, " : ""
            peer.send(
                response(
                    "old", "Connection: close\r\nCache-Control: \(allowed)max-age=10\r\nAge: 20\r\nETag: \"v1\"\r\n"))
            peer.close()
        }
        let gateway = try CachingGateway(server)
        gateway.store("/allowed")
        gateway.store("/other")
        server.stop()
        let allowed = gateway.ask("/allowed")
        #expect(allowed.status == 200)
        #expect(allowed.body == "old")
        #expect(allowed.cacheStatus.contains("detail=stale-if-error"))
        #expect(gateway.ask("/other").status == 503)
        #expect(gateway.ask("/allowed", method: "HEAD").status == 200)
    }

    @Test("is served at once and refreshed once in the background where stale-while-revalidate says so")
    func staleWhileRevalidate() throws {
        let gate = Gate()
        let server = origin { head, number in
            if number == 0 {
                return response(
                    "old", "Cache-Control: max-age=10, stale-while-revalidate=1000\r\nAge: 20\r\nETag: \"v1\"\r\n")
            }
            gate.pass()
            return response("new", "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let lines = 6
        for _ in 0..<5 {
            let reply = gateway.ask()
            #expect(reply.body == "old")
            #expect(reply.isHit)
            #expect(reply.cacheStatus.contains("ttl=-"))
        }
        eventually { server.requests.count == 2 }
        #expect(server.requests[1].contains("If-None-Match: \"v1\"\r\n"))
        gate.open()
        eventually { gateway.ask().body == "new" }
        #expect(gateway.ask().isHit)
        #expect(server.requests.count == 2)
        let log = gateway.gateway.log()
        #expect(log.filter { $0.contains(" cache=stale ") }.count >= lines - 1)
        #expect(log.filter { $0.contains("\" 200 ") && $0.contains(" cache=miss ") }.count == 1)
        #expect(log.allSatisfy { !$0.contains(" 499 ") })
    }

    @Test("is refreshed by a 304 in the background as well")
    func refreshedBy304() throws {
        let server = origin { head, number in
            head.contains("If-None-Match")
                ? "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nETag: \"v1\"\r\nX-New: 1\r\n\r\n"
                : response(
                    "old", "Cache-Control: max-age=10, stale-while-revalidate=1000\r\nAge: 20\r\nETag: \"v1\"\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask().isHit)
        eventually { gateway.ask().field("X-New") == "1" }
        let reply = gateway.ask()
        #expect(reply.body == "old")
        #expect(!reply.cacheStatus.contains("ttl=-"))
        #expect(server.requests.count == 2)
    }

    @Test("is refreshed by one exchange at a time, however many find it stale meanwhile, in one batch or one by one")
    func oneRefresh() throws {
        let gate = Gate()
        let server = origin { _, number in
            if number > 0 { gate.pass() }
            return response(
                "\(number)", "Cache-Control: max-age=10, stale-while-revalidate=1000\r\nAge: 20\r\nETag: \"v1\"\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect(gateway.ask().body == "0")
        eventually { server.requests.count == 2 }
        let before = gateway.gateway.counters.reduce(0) { $0 + $1.refreshes.load(ordering: .relaxed) }
        for _ in 0..<10 { #expect(gateway.ask().body == "0") }
        let peer = gateway.gateway.connect()
        peer.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 10))
        for _ in 0..<10 { #expect(peer.reply().body == "0") }
        #expect(gateway.gateway.counters.reduce(0) { $0 + $1.refreshes.load(ordering: .relaxed) } == before)
        gate.open(for: 20)
        eventually { gateway.ask().body == "1" }
    }

    @Test("that many ask about at once makes one validation")
    func collapsed() throws {
        let gate = Gate()
        let server = origin { head, number in
            guard head.contains("If-None-Match") else { return response("old", Self.old) }
            gate.pass()
            return "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nETag: \"v1\"\r\n\r\n"
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        let peers = (0..<10).map { _ in gateway.gateway.connect() }
        for peer in peers { peer.request() }
        eventually { server.requests.count == 2 }
        gateway.gateway.hearAll()
        gate.open(for: 20)
        for peer in peers { #expect(peer.reply().body == "old") }
        #expect(server.requests.count == 2)
    }

    @Test("keeps the tags and the URI that a purge finds it by, also after a 304")
    func invalidatedAfterRefresh() throws {
        let server = origin { head, number in
            if head.hasPrefix("POST") { return response("", "") }
            return head.contains("If-None-Match")
                ? "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nETag: \"v1\"\r\n\r\n"
                : response("old\(number)", Self.old)
        }
        let gateway = try CachingGateway(server)
        gateway.store()
        gateway.ask()
        gateway.store()
        #expect(gateway.ask().isHit)
        gateway.ask("/", "Content-Length: 0\r\n", method: "POST")
        #expect(!gateway.ask().isHit)
    }
}
