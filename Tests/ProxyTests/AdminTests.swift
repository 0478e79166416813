// SPDX-License-Identifier: Apache-2.0
import Foundation
import Settings
import TestSupport
import Testing

/// A caching gateway with an admin address.
private func caching(_ server: ScriptedServer, in folder: TemporaryFolder = TemporaryFolder()) throws -> CachingGateway
{
    try CachingGateway(server, in: folder) { $0.admin = .init(address: "127.0.0.1", port: 0) }
}

extension CachingGateway {
    /// A call of the admin address: its status, and its JSON.
    fileprivate func call(
        _ target: String, _ fields: String = "", method: String = "GET", host: String = "127.0.0.1"
    )
        -> (status: Int, json: [String: Any])
    {
        let peer = gateway.connectToAdmin()
        peer.request(target, fields, method: method, host: host, minor: 1)
        let reply = peer.reply(to: method)
        let json = try? JSONSerialization.jsonObject(with: Data(reply.body.utf8)) as? [String: Any]
        return (reply.status, json ?? [:])
    }

    fileprivate func explain(_ url: String, _ fields: String = "") -> [String: Any] {
        call("/cache/explain?url=\(url)", fields).json
    }

    /// What the next request would do, and why.
    fileprivate func next(_ url: String, _ fields: String = "") -> (does: String?, status: String?) {
        let next = explain(url, fields)["next"] as? [String: Any]
        return (next?["does"] as? String, next?["cache_status"] as? String)
    }
}

@Suite("To explain") struct ExplainTests {
    @Test("tells what is stored for a URL, and of a miss before") func tellsOfAHit() throws {
        let server = origin { _, _ in response("body", "Cache-Control: max-age=60\r\nETag: \"x\"\r\n") }
        let gateway = try caching(server)
        #expect(gateway.next("http://a/p?q=1").status == "gateway; fwd=uri-miss")
        gateway.store("/p?q=1")
        let told = gateway.explain("http://A:80/p?q=1")
        #expect(told["variants"] as? Int == 1)
        let stored = (told["stored"] as? [[String: Any]])?.first
        #expect(stored?["status"] as? Int == 200)
        #expect(stored?["lifetime"] as? Int == 60)
        #expect(stored?["fresh"] as? Bool == true)
        #expect(stored?["body_bytes"] as? Int == 4)
        #expect((stored?["fields"] as? [String])?.contains("ETag: \"x\"") == true)
        #expect((told["next"] as? [String: Any])?["does"] as? String == "hit")
        // Percent-encoded as a whole it is the same URL.
        #expect(gateway.next("http%3A%2F%2Fa%2Fp%3Fq%3D1").does == "hit")
        #expect(gateway.next("https://a/p?q=1").does == "forward")
    }

    @Test("chooses the variant by the fields of the call") func choosesVariants() throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\nVary: X-A\r\n") }
        let gateway = try caching(server)
        gateway.store("/", "X-A: 1\r\n")
        gateway.store("/", "X-A: 2\r\n")
        let told = gateway.explain("http://a/", "X-A: 2\r\n")
        #expect(told["vary"] as? String == "x-a")
        #expect(told["variants"] as? Int == 2)
        #expect((told["stored"] as? [[String: Any]])?.filter { $0["selected"] as? Bool == true }.count == 1)
        #expect(gateway.next("http://a/", "X-A: 2\r\n").does == "hit")
        #expect(gateway.next("http://a/", "X-A: 3\r\n").status == "gateway; fwd=vary-miss")
    }

    @Test("says why a stored response would be validated") func saysWhy() throws {
        let server = origin { head, _ in
            response("x", "ETag: \"x\"\r\nCache-Control: \(head.contains("/old") ? "max-age=0" : "max-age=60")\r\n")
        }
        let gateway = try CachingGateway(server) {
            $0.admin = .init(address: "127.0.0.1", port: 0)
            $0.cache.honoursReload = true
        }
        gateway.store("/old")
        gateway.store("/new")
        #expect(gateway.next("http://a/old").status == "gateway; fwd=stale; detail=expired")
        #expect(gateway.next("http://a/new", "Cache-Control: no-cache\r\n").does == "validate")
        #expect(gateway.next("http://a/none", "Cache-Control: only-if-cached\r\n").does == "refuse")
    }

    @Test("asks no upstream server, and changes nothing") func changesNothing() throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\n") }
        let gateway = try caching(server)
        for _ in 0..<3 { _ = gateway.explain("http://a/") }
        #expect(server.requests.isEmpty)
        #expect(gateway.files.isEmpty)
    }

    @Test("says what is wrong with a URL", arguments: ["", "ftp://a/", "http://", "http://a%20b/", "http://a b/"])
    func refusesURLs(_ url: String) throws {
        let server = origin { _, _ in response("x", "") }
        let gateway = try caching(server)
        let reply = gateway.call("/cache/explain?url=\(url.replacing(" ", with: "%20"))")
        #expect(reply.status == 400)
        #expect((reply.json["error"] as? String)?.isEmpty == false)
    }
}

@Suite("To purge") struct AdminPurgeTests {
    private let tagged = "Cache-Control: max-age=60\r\nSurrogate-Key: "

    @Test(
        "takes what its scope names and leaves the rest",
        arguments: [
            ("url=http://a/x/1", ["a/x/1"]), ("prefix=http://a/x/", ["a/x/1", "a/x/y/2"]),
            ("prefix=http://a/", ["a/x/1", "a/x/y/2", "a/z"]), ("host=A", ["a/x/1", "a/x/y/2", "a/z"]),
            ("tag=z", ["a/z"]), ("tag=all", ["a/x/1", "a/x/y/2", "a/z", "b/x/1"]),
            ("all", ["a/x/1", "a/x/y/2", "a/z", "b/x/1"]), ("tag=none", []),
        ]) func purges(_ what: String, _ gone: [String]) throws
    {
        let server = origin { [tagged] head, _ in
            response("x", tagged + (head.contains(" /z ") ? "all z\r\n" : "all other\r\n"))
        }
        let folder = TemporaryFolder()
        var gateway = try caching(server, in: folder)
        let all = ["a/x/1", "a/x/y/2", "a/z", "b/x/1"]
        for name in all { gateway.store(String(name.dropFirst()), host: String(name.prefix(1))) }
        let reply = gateway.call("/cache/purge?\(what)", method: "POST")
        #expect(reply.status == 200)
        #expect(reply.json["survives_restart"] as? Bool == true)
        for _ in 0..<2 {
            for name in all {
                let does = gateway.next("http://\(name)").does
                #expect(does == (gone.contains(name) ? "forward" : "hit"), "\(name)")
            }
            gateway.gateway.stop()
            gateway = try caching(server, in: folder)
        }
    }

    @Test(
        "says what is wrong with a call",
        arguments: [
            ("/cache/purge", "POST", 400), ("/cache/purge?all", "GET", 405), ("/cache/purge?host=a/b", "POST", 400),
            ("/cache/purge?prefix=http://a/x", "POST", 400), ("/cache/purge?tag=%z", "POST", 400),
            ("/cache/purge?url=", "POST", 400), ("/nothing", "GET", 404), ("/cache", "POST", 405),
        ]) func refuses(_ target: String, _ method: String, _ status: Int) throws
    {
        let server = origin { _, _ in response("x", "") }
        let gateway = try caching(server)
        let reply = gateway.call(target, method: method)
        #expect(reply.status == status)
        #expect((reply.json["error"] as? String)?.isEmpty == false)
    }

    @Test(
        "is not for web pages",
        arguments: [
            ("evil.test", ""), ("127.0.0.1", "Origin: http://evil.test\r\n"),
            ("localhost", "Sec-Fetch-Site: cross-site\r\n"),
        ])
    func refusesPages(_ host: String, _ fields: String) throws {
        let server = origin { _, _ in response("x", "Cache-Control: max-age=60\r\n") }
        let gateway = try caching(server)
        gateway.store("/")
        #expect(gateway.call("/cache/purge?all", fields, method: "POST", host: host).status == 403)
        #expect(gateway.ask("/").isHit)
    }

    @Test("says that there is nothing to purge without a cache") func withoutCache() throws {
        let server = origin { _, _ in response("x", "") }
        let gateway = try CachingGateway(server) {
            $0.admin = .init(address: "127.0.0.1", port: 0)
            $0.cache.isOn = false
        }
        #expect(gateway.call("/cache/purge?all", method: "POST").status == 409)
        #expect(gateway.call("/cache").json["enabled"] as? Bool == false)
    }
}
