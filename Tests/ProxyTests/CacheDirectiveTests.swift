// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("A request's Cache-Control") struct CacheDirectiveTests {
    private func gateway(
        _ age: Int = 0, _ configure: (inout Configuration) -> Void = { _ in }
    ) throws -> (CachingGateway, ScriptedServer) {
        let server = origin { head, number in
            head.contains("If-None-Match")
                ? "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"
                : response("\(number)", "Cache-Control: max-age=100\r\nETag: \"v1\"\r\nAge: \(age)\r\n")
        }
        let gateway = try CachingGateway(server, configure)
        gateway.store()
        return (gateway, server)
    }

    @Test(
        "no-cache, max-age and min-fresh have a fresh response validated where the operator says so",
        arguments: [
            "Cache-Control: no-cache", "Cache-Control: max-age=0", "Cache-Control: max-age=10",
            "Cache-Control: min-fresh=90", "Pragma: no-cache",
        ])
    func reload(_ field: String) throws {
        let (gateway, server) = try gateway(20) { $0.cache.honoursReload = true }
        let reply = gateway.ask("/", field + "\r\n")
        #expect(reply.body == "0")
        #expect(server.requests.count == 2)
        #expect(server.requests.last?.contains("If-None-Match: \"v1\"") == true)
        #expect(reply.cacheStatus.contains("fwd=request; fwd-status=304"))
    }

    @Test(
        "that a fresh response satisfies is a hit",
        arguments: ["max-age=50", "min-fresh=10", "max-stale", "only-if-cached", "no-store"])
    func satisfied(_ directive: String) throws {
        let (gateway, server) = try gateway(20)
        #expect(gateway.ask("/", "Cache-Control: \(directive)\r\n").isHit)
        #expect(server.requests.count == 1)
    }

    @Test("max-stale takes a stale response as it is, up to its number")
    func maxStale() throws {
        let (gateway, server) = try gateway(150)
        #expect(gateway.ask("/", "Cache-Control: max-stale=1000\r\n").isHit)
        #expect(gateway.ask("/", "Cache-Control: max-stale\r\n").isHit)
        #expect(server.requests.count == 1)
        #expect(!gateway.ask("/", "Cache-Control: max-stale=10\r\n").isHit)
        #expect(server.requests.count == 2)
    }

    @Test("only-if-cached is 504 where nothing usable is stored, and nobody is asked")
    func onlyIfCached() throws {
        let (gateway, server) = try gateway(150)
        #expect(gateway.ask("/", "Cache-Control: only-if-cached\r\n").status == 504)
        #expect(gateway.ask("/none", "Cache-Control: only-if-cached\r\n").status == 504)
        #expect(gateway.ask("/none", "Cache-Control: only-if-cached\r\n", method: "HEAD").status == 504)
        #expect(gateway.ask("/none", "Cache-Control: only-if-cached\r\nIf-Match: \"x\"\r\n").status == 504)
        #expect(server.requests.count == 1)
    }

    @Test("no-store has its response not stored, and no stored one updated")
    func noStore() throws {
        let server = origin { head, number in
            response(
                "\(number)",
                "Cache-Control: max-age=100\r\nETag: \"\(number)\"\r\nAge: \(head.contains("/old") ? 150 : 0)\r\n")
        }
        let gateway = try CachingGateway(server)
        #expect(gateway.ask("/", "Cache-Control: no-store\r\n").cacheStatus == "gateway; fwd=uri-miss")
        #expect(!gateway.ask("/", "Cache-Control: no-store\r\n").isHit)
        gateway.store("/old")
        #expect(gateway.ask("/old", "Cache-Control: no-store\r\n").body == "3")
        #expect(gateway.ask("/old", "Cache-Control: max-stale\r\n").body == "2")
    }

    @Test("with a body, or with If-Match, goes past the cache")
    func bypass() throws {
        let (gateway, server) = try gateway()
        #expect(gateway.ask("/", "Content-Length: 1\r\n\r\nx").cacheStatus == "gateway; fwd=bypass")
        #expect(gateway.ask("/", "If-Match: \"v1\"\r\n").cacheStatus == "gateway; fwd=request")
        #expect(
            gateway.ask("/", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n").cacheStatus
                == "gateway; fwd=request")
        #expect(server.requests.count == 4)
    }
}
