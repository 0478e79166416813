// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("PURGE") struct CachePurgeTests {
    private func server() -> ScriptedServer {
        origin { _, number in response("\(number)", "Cache-Control: max-age=60\r\nVary: X-A\r\n") }
    }

    @Test("takes what is stored for its target out of the cache, all variants of it and nothing else")
    func purges() throws {
        let server = server()
        let gateway = try CachingGateway(server)
        gateway.store("/a", "X-A: 1\r\n")
        gateway.store("/a", "X-A: 2\r\n")
        gateway.store("/b")
        #expect(gateway.ask("/a", method: "PURGE").status == 200)
        #expect(!gateway.ask("/a", "X-A: 1\r\n").isHit)
        #expect(!gateway.ask("/a", "X-A: 2\r\n").isHit)
        #expect(gateway.ask("/b").isHit)
        #expect(!server.requests.contains { $0.hasPrefix("PURGE") })
    }

    @Test("takes all below a path that ends with /*")
    func purgesBelow() throws {
        let gateway = try CachingGateway(server())
        for path in ["/a/b/c", "/a/b", "/a/bc/d"] { gateway.store(path) }
        #expect(gateway.ask("/a/b/*", method: "PURGE").status == 200)
        #expect(!gateway.ask("/a/b/c").isHit)
        #expect(gateway.ask("/a/b").isHit)
        #expect(gateway.ask("/a/bc/d").isHit)
        #expect(gateway.ask("/*", method: "PURGE").status == 200)
        #expect(!gateway.ask("/a/bc/d").isHit)
    }

    @Test("takes responses with its tags where it names some")
    func purgesTags() throws {
        let server = origin { head, _ in
            response("x", "Cache-Control: max-age=60\r\nCache-Tag: \(head.contains("/a") ? "one, two" : "three")\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store("/a")
        gateway.store("/b")
        #expect(gateway.ask("/b", "Surrogate-Key: none two\r\n", method: "PURGE").status == 200)
        #expect(!gateway.ask("/a").isHit)
        #expect(gateway.ask("/b").isHit)
    }

    @Test(
        "is refused where it was forwarded, or comes from elsewhere",
        arguments: [
            "Via: 1.1 x\r\n", "X-Forwarded-For: 10.0.0.1\r\n", "Forwarded: for=10.0.0.1\r\n", "X-Real-IP: 10.0.0.1\r\n",
            "CDN-Loop: x\r\n", "X-Forwarded-Proto: http\r\n", "X-Forwarded-Host: a\r\n", "X-Forwarded-Port: 80\r\n", "",
        ])
    func refuses(_ fields: String) throws {
        let server = server()
        let gateway = try CachingGateway(server) { if fields.isEmpty { $0.cache.purgers = [] } }
        gateway.store("/", "X-A: 1\r\n")
        #expect(gateway.ask("/", fields, method: "PURGE").status == 405)
        #expect(gateway.ask("/", "X-A: 1\r\n").isHit)
        #expect(server.requests.count == 1)
    }
}
