// SPDX-License-Identifier: Apache-2.0
// What routes match and what servers get is one reading of a path, and so is what is stored, logged and told.

import Foundation
import Settings
import TestSupport
import Testing

@Suite("A path is read once") struct PathReadingTests {
    private func closed(_ path: String) -> Configuration.Route {
        var route = Configuration.Route(action: .answer(status: 403, contentType: "text/plain", body: "closed"))
        route.path = path
        return route
    }

    private let open = Configuration.Route(action: .pool("default"))

    private func status(_ gateway: RunningGateway, _ target: String, method: String = "GET") -> String {
        String(gateway.exchange("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\n").dropFirst(9).prefix(3))
    }

    private func targets(_ server: ScriptedServer) -> [String] {
        server.requests.map { String($0.split(separator: " ")[1]) }
    }

    /// Each with the path that some server takes it for.
    static let hidden = [
        // After decoding.
        "/admin/..%2fx", "/admin/..%2Fx", "/x%2f..%2fadmin", "/x/..%2fadmin", "/admin/%2e%2e/x", "/x/%2e%2e/admin",
        "/x/.%2e/admin", "/x/%2E./admin", "/%2e/admin", "/x/%2e", "/admin/%2e%2e", "/x%2f../admin/..%2f",
        // Beside a backslash.
        "/admin/..%5cx", "/x%5c..%5cadmin", "/x/%5c../admin", "/admin/..%5C", "/x/%2e%2e%5cadmin",
        // Beside a semicolon.
        "/admin/..;/x", "/admin/..;v=1/x", "/admin/..%3b/x", "/admin/..%3Bv/x", "/x/..;/admin", "/admin/.;/../..;",
        "/admin/;../x", "/x;%2e%2e/admin", "/x/.;/admin", "/x/%2e%2e;/admin", "/admin/..;",
    ]

    @Test("dot segments that only some servers see are refused where routes look at paths", arguments: hidden)
    func hiddenSegments(_ target: String) throws {
        let origin = ScriptedServer.answering(ok("served"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.routes = [closed("/admin"), open] }
        #expect(status(gateway, target) == "400")
        #expect(status(gateway, "http://a\(target)?q") == "400")
        #expect(origin.requests.isEmpty)
        #expect(gateway.log().allSatisfy { $0.hasSuffix(" reason=ambiguous-path") })
    }

    @Test("they are no way out of the prefix that a route writes in place of its own", arguments: hidden)
    func rewriting(_ target: String) throws {
        let origin = ScriptedServer.answering(ok("served"))
        var route = open
        route.rewritePrefix = "/site"
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.routes = [route] }
        #expect(status(gateway, target) == "400")
        #expect(origin.requests.isEmpty)
    }

    @Test("a target that some servers take for a host and a path is refused when that path has another route")
    func hostInPath() throws {
        let origin = ScriptedServer.answering(ok("served"))
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.routes = [closed("/admin"), open] }
        for target in ["//x/admin", "///x/admin/y", "/.//x/admin", "/x/..//y/admin", "//x//admin"] {
            #expect(status(gateway, target) == "400", "\(target)")
        }
        #expect(origin.requests.isEmpty)
        #expect(status(gateway, "//admin") == "403")
        for target in ["//x/y", "//", "/x//admin"] { #expect(status(gateway, target) == "200", "\(target)") }
        #expect(targets(origin) == ["//x/y", "//", "/x//admin"])
    }

    static let resolved = [
        ("/a/../b?x=/../y", "/b?x=/../y"), ("/./b", "/b"), ("/a/./b/.", "/a/b/"), ("/a/b/..", "/a/"), ("/a/..", "/"),
        ("/a//../b", "/a/b"), ("http://a/x/../b?q", "/b?q"), ("/a%2fb/../c", "/c"), ("/.a/..b/...", "/.a/..b/..."),
        ("/b/c/../../d/", "/d/"),
    ]

    @Test("dot segments are resolved in what servers get, routes or not", arguments: resolved, [true, false])
    func resolution(_ pair: (String, String), _ hasRoutes: Bool) throws {
        let origin = ScriptedServer.answering(ok("served"))
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            if hasRoutes { $0.routes = [closed("/admin"), open] }
        }
        #expect(status(gateway, pair.0) == "200")
        #expect(targets(origin) == [pair.1])
        let logged = pair.0.hasPrefix("http://") ? "http://a" + pair.1 : pair.1
        #expect(gateway.log().first?.contains("\"GET \(logged) HTTP/1.1\"") == true)
    }

    @Test("the body of a request whose path becomes shorter, and the request behind it, are read as they came")
    func pipelined() throws {
        let origin = ScriptedServer { peer, _, server in
            while true {
                let message = peer.receiveMessage()
                if message.head.isEmpty { return }
                server.note(message.head.split(separator: " ")[1] + "|" + message.body)
                peer.send(ok("x"))
            }
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let client = gateway.connect()
        client.send(
            "POST /a/b/../../c?q HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
                + "GET /d/./e HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.receiveMessage().head.hasPrefix("HTTP/1.1 200 "))
        #expect(client.receiveMessage().head.hasPrefix("HTTP/1.1 200 "))
        #expect(origin.requests == ["/c?q|body", "/d/e|"])
    }

    @Test("above the root is nothing, routes or not", arguments: ["/..", "/../a", "/a/../..", "/a/../../b", "/./.."])
    func root(_ target: String) throws {
        let origin = ScriptedServer.answering(ok("served"))
        let gateway = try RunningGateway(upstreams: [origin.port])
        #expect(status(gateway, target) == "400")
        #expect(origin.requests.isEmpty)
        #expect(gateway.log().first?.hasSuffix(" reason=bad-path") == true)
    }

    @Test("everything else of a path reaches servers byte for byte", arguments: [true, false])
    func others(_ hasRoutes: Bool) throws {
        let origin = ScriptedServer.answering(ok("served"))
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            if hasRoutes { $0.routes = [closed("/admin"), open] }
        }
        var sent = [
            "/a%2Fb%2fc", "/%7Ea~", "/a;v=1.2/b;c", "/x//y///", "/a%20b+c", "/%252e%252e/x", "/a..b/..c/d..",
            "/.well-known/x", "/%5cx", "/a%3Bb", "/...;x/....", "/%C3%A4?%2e%2e/../;",
        ]
        // Where no route looks at paths, servers may have their own opinion of these.
        if !hasRoutes {
            sent += [
                "/admin/..%2fx", "/x/%2e%2e/admin", "/admin/..;/x", "/admin/..%5cx", "/x%2f..%2fadmin", "/x;%2e%2e/y",
            ]
        }
        for target in sent { #expect(status(gateway, target) == "200", "\(target)") }
        #expect(targets(origin) == sent)
    }

    @Test("redirects have the path that routes saw, and none that leads to another host")
    func redirects() throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.routes = [Configuration.Route(action: .redirect(status: 308, location: "{path}{query}"))]
        }
        func location(_ target: String) -> String? {
            gateway.exchange("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n").split(separator: "\r\n")
                .first { $0.hasPrefix("Location: ") }.map { String($0.dropFirst(10)) }
        }
        #expect(location("/a/../b?q") == "/b?q")
        #expect(location("//evil.test/x") == "/.//evil.test/x")
        #expect(location("/a/..//evil.test/") == "/.//evil.test/")
    }

    @Test("what is stored, purged and explained has one name, whatever way leads to it")
    func cache() throws {
        let server = origin { _, number in response("answer \(number)", "Cache-Control: max-age=60\r\n") }
        let gateway = try CachingGateway(server) {
            $0.admin = .init(address: "127.0.0.1", port: 0)
        }
        gateway.store("/x/../page")
        #expect(gateway.ask("/page").isHit)
        #expect(gateway.ask("/./page").isHit)
        let admin = gateway.gateway.connectToAdmin()
        admin.request("/cache/explain?url=http://a/y/../page", host: "127.0.0.1")
        let told = try #require(
            JSONSerialization.jsonObject(with: Data(admin.reply().body.utf8)) as? [String: Any])
        #expect((told["key"] as? [String: Any])?["path"] as? String == "/page")
        #expect((told["next"] as? [String: Any])?["does"] as? String == "hit")
        #expect(gateway.ask("/z/../page", method: "PURGE").status == 200)
        #expect(!gateway.ask("/page").isHit)
    }
}
