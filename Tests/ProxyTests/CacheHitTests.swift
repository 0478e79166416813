// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("A cached response") struct CacheHitTests {
    @Test("is served again without asking, with its age and what the cache did")
    func hit() throws {
        let server = origin { _, _ in response("hello", "Cache-Control: max-age=60\r\nX-Other: 1\r\n") }
        let gateway = try CachingGateway(server)
        let first = gateway.store()
        #expect(first.cacheStatus == "gateway; fwd=uri-miss; stored")
        #expect(first.all("Age").isEmpty)
        let second = gateway.ask()
        #expect(second.status == 200)
        #expect(second.body == "hello")
        #expect(second.field("Age").flatMap { Int($0) } != nil)
        #expect(second.cacheStatus.hasPrefix("gateway; hit; ttl="))
        #expect(second.field("X-Other") == "1")
        #expect(second.all("Date").count == 1)
        #expect(second.field("Via") == "1.1 gateway")
        #expect(server.requests.count == 1)
    }

    @Test("that the origin made for this request has no Age, unless it came with one")
    func age() throws {
        let server = origin { head, _ in
            response(
                "x",
                head.contains("/old")
                    ? "Cache-Control: max-age=60\r\nAge: 7\r\n"
                    : "Cache-Control: max-age=60\r\n"
                        + "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
        }
        let gateway = try CachingGateway(server)
        #expect(gateway.ask("/new").all("Age").isEmpty)
        #expect(gateway.ask("/old").field("Age") == "7")
    }

    @Test("that is old on arrival keeps the age that it came with")
    func ageGrows() throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\nAge: 30\r\n") }
        let gateway = try CachingGateway(server)
        gateway.store()
        #expect((gateway.ask().field("Age").flatMap { Int($0) } ?? 0) >= 30)
    }

    @Test("is for one URI only: host, port, path and query count, the host's case does not")
    func key() throws {
        let server = origin { _, number in response("\(number)", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server)
        gateway.store("/p?q=1", host: "a.example")
        #expect(gateway.ask("/p?q=1", host: "A.Example").isHit)
        #expect(gateway.ask("/p?q=1", host: "a.example:80").isHit)
        #expect(gateway.ask("http://a.example/p?q=1", host: "a.example").isHit)
        #expect(!gateway.ask("/p?q=2", host: "a.example").isHit)
        #expect(!gateway.ask("/p", host: "a.example").isHit)
        #expect(!gateway.ask("/P?q=1", host: "a.example").isHit)
        #expect(!gateway.ask("/p?q=1", host: "a.example:81").isHit)
        #expect(!gateway.ask("/p?q=1", host: "b.example").isHit)
    }

    @Test("of a scheme or host that a trusted proxy names is not another's")
    func forwardedProto() throws {
        let server = origin { _, number in response("\(number)", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server) { $0.trustedProxies = loopbackRange }
        gateway.store()
        let secure = gateway.ask("/", "X-Forwarded-Proto: https\r\n")
        #expect(!secure.isHit)
        #expect(secure.body != "0")
        let other = gateway.ask("/", "X-Forwarded-Host: evil\r\n")
        #expect(other.cacheStatus == "gateway; fwd=bypass")
        #expect(gateway.ask("/", "X-Forwarded-Host: a\r\n").isHit)
        #expect(gateway.ask().body == "0")
    }

    @Test("of a scheme that somebody untrusted names stays the same")
    func untrustedProto() throws {
        let server = origin { _, number in response("\(number)", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server) { $0.trustedProxies = [] }
        gateway.store()
        #expect(gateway.ask("/", "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n").isHit)
    }

    @Test("does not replay the request id of another, and has the fields that the route sets")
    func edits() throws {
        let server = origin { _, _ in
            response("x", "Cache-Control: max-age=60\r\nX-Request-ID: origin\r\nServer: secret\r\nX-Set: theirs\r\n")
        }
        let gateway = try CachingGateway(server) {
            var route = Configuration.Route(action: .pool("default"))
            route.responseFields = [.remove(name: "Server"), .set(name: "X-Set", value: "ours")]
            $0.routes = [route]
        }
        for reply in [gateway.store(), gateway.ask()] {
            #expect(reply.all("X-Request-ID").count == 1)
            #expect(reply.field("X-Request-ID") != "origin")
            #expect(reply.all("Server").isEmpty)
            #expect(reply.field("X-Set") == "ours")
        }
        #expect(gateway.ask("/", "X-Request-ID: mine\r\n").field("X-Request-ID") == "mine")
    }

    @Test("keeps the Cache-Status of caches behind, in front of ours")
    func statusOfOthers() throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\nCache-Status: inner; hit\r\n") }
        let gateway = try CachingGateway(server)
        gateway.store()
        let reply = gateway.ask()
        #expect(reply.all("Cache-Status").first == "inner; hit")
        #expect(reply.isHit)
    }

    @Test("reaches clients of HTTP/1.0, however it came")
    func http10() throws {
        let server = origin { head, _ in
            head.contains("/chunked")
                ? "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                : response("hello", "Cache-Control: max-age=60\r\n")
        }
        let gateway = try CachingGateway(server)
        for target in ["/length", "/chunked"] {
            let first = gateway.ask(target, minor: 0)
            #expect(first.body == "hello")
            gateway.store(target)
            let second = gateway.ask(target, minor: 0)
            #expect(second.isHit)
            #expect(second.body == "hello")
            #expect(second.field("Content-Length") == "5")
            #expect(gateway.ask(target).body == "hello")
        }
    }

    @Test("and what has to be fetched share a connection, pipelined too")
    func pipelined() throws {
        let server = origin { head, _ in
            let path = head.split(separator: " ")[1]
            return response(
                "<\(path)>", path.contains("hit") ? "Cache-Control: max-age=60\r\n" : "Cache-Control: no-store\r\n")
        }
        let gateway = try CachingGateway(server)
        gateway.store("/hit")
        let peer = gateway.gateway.connect()
        let targets = (0..<40).map { $0 % 3 == 0 ? "/miss\($0)" : "/hit" }
        for target in targets { peer.request(target) }
        for target in targets {
            let reply = peer.reply()
            #expect(reply.body == "<\(target)>")
            #expect(reply.isHit == (target == "/hit"))
        }
    }

    @Test("pipelined many times while it is still being fetched reaches each request whole")
    func pipelinedCold() throws {
        let body = letters(100_000)
        let server = origin { _, _ in response(body, "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server)
        let peer = gateway.gateway.connect()
        for _ in 0..<20 { peer.request("/") }
        for _ in 0..<20 { #expect(peer.reply().body == body) }
        #expect(server.requests.count == 1)
    }

    @Test("is a word in the log: hit, miss, stale, revalidated, bypass")
    func log() throws {
        let server = origin { head, number in
            if head.contains("If-None-Match") { return notModified + "ETag: \"1\"\r\n\r\n" }
            return response(
                "x", "Cache-Control: max-age=60\r\nETag: \"1\"\r\n" + (head.contains("/old") ? "Age: 99\r\n" : ""))
        }
        let gateway = try CachingGateway(server) { $0.cache.honoursReload = true }
        gateway.store("/new")
        gateway.ask("/new")
        gateway.ask("/new", "Cache-Control: no-cache\r\n")
        gateway.store("/old")
        gateway.ask("/old", "Cache-Control: max-stale\r\n")
        gateway.ask("/new", method: "DELETE")
        let lines = gateway.gateway.log()
        #expect(lines.first?.contains(" cache=miss ") == true)
        for word in ["hit", "stale", "revalidated", "bypass"] {
            #expect(lines.contains { $0.contains(" cache=\(word) ") }, "\(word)")
        }
    }

    @Test("says nothing of the cache where the operator wants that")
    func silent() throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server) { $0.cache.statusField = false }
        gateway.store()
        let reply = gateway.ask()
        #expect(reply.all("Cache-Status").isEmpty)
        #expect(reply.field("Age") != nil)
    }
}
