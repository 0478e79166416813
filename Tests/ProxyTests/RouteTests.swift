// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("Routes") struct RouteTests {
    private func route(
        _ action: Configuration.Route.Action, host: String? = nil, path: String = "/", methods: [String] = []
    ) -> Configuration.Route {
        var route = Configuration.Route(action: action)
        route.host = host
        route.path = path
        route.methods = methods
        return route
    }

    private func answer(_ text: String) -> Configuration.Route.Action {
        .answer(status: 200, contentType: "text/plain", body: text)
    }

    @Test("the most specific one wins, whatever the order")
    func specificity() throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.routes = [
                route(answer("any")), route(answer("wild"), host: "*.example.org"),
                route(answer("exact"), host: "www.example.org"),
                route(answer("path"), path: "/api"), route(answer("longer"), path: "/api/v2"),
                route(answer("post"), path: "/api", methods: ["POST"]),
            ]
        }
        func ask(_ host: String, _ path: String, _ method: String = "GET") -> String {
            let body = gateway.exchange("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            return String(body.split(separator: "\r\n").last ?? "")
        }
        #expect(ask("x", "/") == "any")
        #expect(ask("a.b.Example.org", "/") == "wild")
        #expect(ask("example.org", "/") == "any")
        #expect(ask("WWW.example.org.:8080", "/") == "exact")
        #expect(ask("x", "/api") == "path")
        #expect(ask("x", "/apis") == "any")
        #expect(ask("x", "/api/v2/x?y") == "longer")
        #expect(ask("x", "/api/x", "POST") == "post")
    }

    @Test(
        "no spelling of a path slips past one",
        arguments: [
            "/admin", "/admin/", "//admin", "/./admin", "/x/../admin", "/%61dmin", "/%2fadmin", "/admin%2f",
            "/admin;x=1", "/admin/x", "/x\u{2f}..\u{2f}admin", "/adm%69n/y", "/.//admin", "/x;y/../admin",
            "/x/..//admin", "/admin/x/..", "/%2e/../admin",
        ])
    func spellings(_ path: String) throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.routes = [
                route(.answer(status: 403, contentType: "text/plain", body: "closed"), path: "/admin"),
                route(answer("open")),
            ]
        }
        #expect(gateway.exchange("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 403 "))
    }

    @Test("a path without a normal form is refused", arguments: ["/..", "/a/../../b", "/%00", "/%zz", "/%4"])
    func badPaths(_ path: String) throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.routes = [route(answer("x"), path: "/x"), route(answer("open"))]
        }
        #expect(gateway.exchange("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 400 "))
    }

    @Test("redirects keep path and query, and nothing in them can split the response")
    func redirects() throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.routes = [route(.redirect(status: 308, location: "https://{host}/new{path}{query}"))]
        }
        let response = gateway.exchange("GET /a%0d%0aX:y?b=%0d HTTP/1.1\r\nHost: h:1\r\n\r\n")
        #expect(response.hasPrefix("HTTP/1.1 308 Permanent Redirect\r\n"))
        #expect(response.contains("Location: https://h:1/new/a%0d%0aX:y?b=%0d\r\n"))
    }

    @Test("prefixes are rewritten, and fields set and removed both ways")
    func rewriting() throws {
        let origin = ScriptedServer.answering(ok("x", fields: "Server: secret\r\nX-Keep: 1\r\n"))
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            var api = route(.pool("default"), path: "/api")
            api.rewritePrefix = "/"
            api.requestFields = [.set(name: "X-Env", value: "prod"), .remove(name: "X-Debug")]
            api.responseFields = [.remove(name: "Server"), .set(name: "X-Frame-Options", value: "DENY")]
            $0.routes = [api]
        }
        let response = gateway.exchange("GET /api/v1?q HTTP/1.1\r\nHost: a\r\nX-Debug: 1\r\nx-env: test\r\n\r\n")
        #expect(response.contains("X-Keep: 1\r\n"))
        #expect(response.contains("X-Frame-Options: DENY\r\n"))
        #expect(!response.contains("secret"))
        _ = gateway.exchange("GET /api HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = gateway.exchange("GET /api/%41%20b HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(origin.requests.map { $0.split(separator: " ")[1] } == ["/v1?q", "/", "/A%20b"])
        #expect(origin.requests[0].contains("X-Env: prod\r\n"))
        #expect(!origin.requests[0].contains("X-Debug"))
        #expect(!origin.requests[0].contains("test"))
        #expect(gateway.exchange("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 404 "))
    }

    @Test("what one sets takes the place of what the gateway would write, and is there once")
    func replacing() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port], certificates: [localhost]) {
            var all = route(.pool("default"))
            all.requestFields = [
                .set(name: "Host", value: "internal.test"), .set(name: "X-Forwarded-Proto", value: "https"),
                .set(name: "X-Forwarded-Host", value: "public.test"), .set(name: "X-Request-ID", value: "one"),
            ]
            all.responseFields = [
                .set(name: "X-Request-ID", value: "two"), .set(name: "Strict-Transport-Security", value: "max-age=1"),
            ]
            $0.routes = [all]
            $0.tls.hstsSeconds = 60
        }
        let client = gateway.connectSecurely(.client())
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\nX-Forwarded-Host: evil\r\n\r\n")
        let answer = client.receiveMessage().head
        let head = try #require(origin.requests.first)
        #expect(head.hasPrefix("GET / HTTP/1.1\r\nHost: internal.test\r\n"))
        for (name, line) in [
            ("Host", "internal.test"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "public.test"),
            ("X-Request-ID", "one"),
        ] {
            #expect(head.contains("\r\n\(name): \(line)\r\n"))
            #expect(head.components(of: "\r\n\(name): ") == 1, "\(head)")
        }
        #expect(head.contains("\r\nX-Forwarded-For: 127.0.0.1\r\n"))
        for line in ["X-Request-ID: two", "Strict-Transport-Security: max-age=1"] {
            #expect(answer.contains("\r\n\(line)\r\n"))
            #expect(answer.components(of: "\r\n\(line.prefix { $0 != ":" }): ") == 1, "\(answer)")
        }
    }

    @Test("TRACE shows no field that one sets")
    func trace() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try RunningGateway(upstreams: [origin.port]) {
            var all = route(.pool("default"))
            all.requestFields = [
                .set(name: "Host", value: "internal.test"), .set(name: "Authorization", value: "Bearer operators"),
                .set(name: "X-Forwarded-Proto", value: "secret"),
            ]
            $0.routes = [all]
        }
        for method in ["GET", "TRACE"] {
            _ = gateway.exchange("\(method) / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic mine\r\n\r\n")
        }
        #expect(origin.requests[0].contains("\r\nAuthorization: Bearer operators\r\n"))
        let traced = origin.requests[1]
        #expect(traced.contains("\r\nHost: internal.test\r\n") && traced.contains("\r\nX-Forwarded-Proto: http\r\n"))
        // Nor is the client's taken for the operator's.
        #expect(!traced.contains("operators") && !traced.contains("secret") && !traced.contains("mine"))
    }

    @Test("a path that is too long to be rewritten is refused")
    func longPaths() throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.limits.lineBytes = 60_000
            $0.limits.headBytes = 60_000
            var api = route(.pool("default"), path: "/api")
            api.rewritePrefix = "/"
            $0.routes = [api, route(.redirect(status: 302, location: "{path}{path}{path}"), path: "/old")]
        }
        let long = String(repeating: "%20", count: 15_000)
        #expect(gateway.exchange("GET /api/\(long) HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 414 "))
        #expect(gateway.exchange("GET /old/\(long) HTTP/1.1\r\nHost: a\r\n\r\n").hasPrefix("HTTP/1.1 414 "))
    }
}
