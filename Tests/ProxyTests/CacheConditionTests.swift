// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("Conditions, ranges and HEAD") struct CacheConditionTests {
    private static let modified = "Sun, 06 Nov 1994 08:49:37 GMT"
    private static let fields =
        "Cache-Control: max-age=60\r\nETag: \"v1\"\r\nLast-Modified: \(modified)\r\n"
        + "Content-Type: text/plain\r\n"

    private func stored(_ server: ScriptedServer, honoursReload: Bool = false) throws -> CachingGateway {
        let gateway = try CachingGateway(server) { $0.cache.honoursReload = honoursReload }
        gateway.store()
        return gateway
    }

    @Test(
        "that the client's copy meets are 304 without asking",
        arguments: [
            "If-None-Match: \"v1\"", "If-None-Match: W/\"v1\"", "If-None-Match: \"x\", \"v1\"", "If-None-Match: *",
            "If-Modified-Since: \(modified)",
        ])
    func notModified(_ field: String) throws {
        let server = origin { _, _ in response("0123456789", Self.fields) }
        let gateway = try stored(server)
        let peer = gateway.gateway.connect()
        peer.request("/", field + "\r\n")
        let reply = peer.reply()
        #expect(reply.status == 304)
        #expect(reply.field("ETag") == "\"v1\"")
        #expect(reply.field("Cache-Control") == "max-age=60")
        #expect(reply.all("Content-Type").isEmpty)
        #expect(reply.all("Content-Length").isEmpty)
        #expect(reply.isHit)
        // No byte of a body is on the way.
        peer.request("/")
        #expect(peer.reply().body == "0123456789")
        #expect(server.requests.count == 1)
    }

    @Test(
        "that it does not meet get the whole",
        arguments: ["If-None-Match: \"v2\"", "If-Modified-Since: Sat, 05 Nov 1994 08:49:37 GMT"])
    func changed(_ field: String) throws {
        let gateway = try stored(origin { _, _ in response("0123456789", Self.fields) })
        let reply = gateway.ask("/", field + "\r\n")
        #expect(reply.status == 200)
        #expect(reply.body == "0123456789")
    }

    @Test("on a miss are held against what comes, which is stored whole")
    func miss() throws {
        let server = origin { _, _ in response("0123456789", Self.fields) }
        let gateway = try CachingGateway(server)
        let first = gateway.ask("/", "If-None-Match: \"v1\"\r\n")
        #expect(first.status == 304)
        #expect(first.all("Age").isEmpty)
        #expect(!server.requests[0].contains("If-None-Match"))
        eventually { gateway.ask().isHit }
        #expect(gateway.ask().body == "0123456789")
        #expect(gateway.ask("/b", "If-None-Match: \"v2\"\r\n").body == "0123456789")
    }

    @Test(
        "a range of what is stored is cut from it",
        arguments: [
            ("bytes=2-4", "234", "bytes 2-4/10"), ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=-2", "89", "bytes 8-9/10"),
            ("bytes=8-100", "89", "bytes 8-9/10"),
        ])
    func range(_ range: String, _ body: String, _ contentRange: String) throws {
        let server = origin { _, _ in response("0123456789", Self.fields) }
        let gateway = try stored(server)
        let reply = gateway.ask("/", "Range: \(range)\r\n")
        #expect(reply.status == 206)
        #expect(reply.body == body)
        #expect(reply.field("Content-Range") == contentRange)
        #expect(reply.isHit)
        #expect(server.requests.count == 1)
        #expect(gateway.ask("/", "Range: \(range)\r\nIf-Range: \"v1\"\r\n").status == 206)
        #expect(gateway.ask("/", "Range: \(range)\r\nIf-Range: \(Self.modified)\r\n").status == 206)
        #expect(gateway.ask("/", "Range: \(range)\r\nIf-Range: \"v2\"\r\n").status == 200)
        #expect(gateway.ask("/", "Range: \(range)\r\n", method: "HEAD").status == 200)
    }

    @Test("a range beyond the end is 416, and what is no single range is ignored")
    func otherRanges() throws {
        let gateway = try stored(origin { _, _ in response("0123456789", Self.fields) })
        let beyond = gateway.ask("/", "Range: bytes=10-\r\n")
        #expect(beyond.status == 416)
        #expect(beyond.field("Content-Range") == "bytes */10")
        for range in ["bytes=0-1,3-4", "lines=1-2", "bytes=x", "bytes=4-2"] {
            #expect(gateway.ask("/", "Range: \(range)\r\n").body == "0123456789")
        }
    }

    @Test("a range of what is not stored goes to the origin, and its answer to the client only")
    func rangeOnMiss() throws {
        let server = origin { head, _ in
            head.contains("Range:")
                ? response("234", Self.fields + "Content-Range: bytes 2-4/10\r\n", status: "206 Partial Content")
                : response("0123456789", Self.fields)
        }
        let gateway = try CachingGateway(server)
        let reply = gateway.ask("/", "Range: bytes=2-4\r\nIf-Range: \"v1\"\r\n")
        #expect(reply.status == 206)
        #expect(reply.body == "234")
        #expect(server.requests[0].contains("Range: bytes=2-4\r\n"))
        #expect(server.requests[0].contains("If-Range: \"v1\"\r\n"))
        #expect(gateway.ask().body == "0123456789")
        #expect(server.requests.count == 2)
    }

    @Test("HEAD is answered from a stored GET")
    func head() throws {
        let server = origin { _, _ in response("0123456789", Self.fields) }
        let gateway = try stored(server)
        let peer = gateway.gateway.connect()
        peer.request("/", method: "HEAD")
        let reply = peer.reply(to: "HEAD")
        #expect(reply.status == 200)
        #expect(reply.field("Content-Length") == "10")
        #expect(reply.isHit)
        peer.request("/")
        #expect(peer.reply().body == "0123456789")
        #expect(server.requests.count == 1)
    }

    @Test("HEAD that misses goes on as it is, and stores nothing")
    func headMiss() throws {
        let server = origin { head, _ in
            head.hasPrefix("HEAD")
                ? "HTTP/1.1 200 OK\r\n\(Self.fields)Content-Length: 10\r\n\r\n" : response("0123456789", Self.fields)
        }
        let gateway = try CachingGateway(server)
        #expect(gateway.ask("/", method: "HEAD").field("Content-Length") == "10")
        #expect(server.requests[0].hasPrefix("HEAD "))
        #expect(gateway.ask().body == "0123456789")
        #expect(server.requests.count == 2)
    }

    /// Answers HEAD with `fields`, GET with a stale response.
    private func headed(_ fields: String) throws -> (CachingGateway, ScriptedServer) {
        let server = origin { head, number in
            if head.hasPrefix("HEAD") { return "HTTP/1.1 200 OK\r\n\(fields)\r\n" }
            if head.contains("If-None-Match") { return "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n" }
            return response("0123456789", "Cache-Control: max-age=30\r\nAge: 20\r\nETag: \"v1\"\r\nX-New: 0\r\n")
        }
        return (try stored(server, honoursReload: true), server)
    }

    @Test("HEAD brings a stored GET up to date when it speaks of the same")
    func headUpdates() throws {
        let (gateway, server) = try headed(
            "Cache-Control: max-age=90\r\nETag: \"v1\"\r\nContent-Length: 10\r\nX-New: 1\r\n")
        #expect(gateway.ask("/", "Cache-Control: no-cache\r\n", method: "HEAD").status == 200)
        #expect(server.requests.last?.hasPrefix("HEAD") == true)
        eventually { gateway.ask().field("X-New") == "1" }
        let reply = gateway.ask()
        #expect(reply.isHit)
        #expect(reply.body == "0123456789")
        #expect(reply.field("Cache-Control") == "max-age=90")
        #expect((reply.field("Age").flatMap { Int($0) } ?? 99) < 20)
        #expect(server.requests.count == 2)
    }

    @Test(
        "HEAD makes a stored GET stale when it speaks of something else",
        arguments: [
            "ETag: \"v2\"\r\nContent-Length: 10\r\n", "ETag: \"v1\"\r\nContent-Length: 11\r\n",
            "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 10\r\n",
        ])
    func headExpires(_ fields: String) throws {
        let (gateway, server) = try headed(fields)
        #expect(gateway.ask().isHit)
        gateway.ask("/", "Cache-Control: no-cache\r\n", method: "HEAD")
        eventually { !gateway.ask().isHit }
        #expect(server.requests.last?.contains("If-None-Match: \"v1\"") == true)
    }

    @Test("HEAD with another status, or with no-store, leaves a stored GET alone")
    func headIgnored() throws {
        let server = origin { head, number in
            if head.hasPrefix("HEAD") {
                return head.contains("no-store")
                    ? "HTTP/1.1 200 OK\r\nETag: \"v2\"\r\nContent-Length: 1\r\n\r\n"
                    : "HTTP/1.1 404 Not Found\r\nETag: \"v2\"\r\nContent-Length: 1\r\n\r\n"
            }
            return response("0123456789", Self.fields)
        }
        let gateway = try stored(server, honoursReload: true)
        gateway.ask("/", "Cache-Control: no-cache\r\n", method: "HEAD")
        gateway.ask("/", "Cache-Control: no-cache, no-store\r\n", method: "HEAD")
        gateway.store("/another")
        #expect(gateway.ask().isHit)
    }
}
