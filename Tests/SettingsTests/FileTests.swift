// SPDX-License-Identifier: Apache-2.0
// The settings file as a file: its bytes, its size, and the ways in which YAML can be made to hurt.

import Foundation
import Settings
import Testing

@Suite struct FileTests {
    /// What is said of a file, without its path.
    private func said(of bytes: some Sequence<UInt8>) throws -> [String] {
        try withFile(bytes) { file throws in complaints(["--config", file]).map { $0.replacing(file, with: "F") } }
    }

    @Test("An empty file, one of comments and one of groups without values mean defaults")
    func empty() throws {
        for text in ["", "# nothing\n", "timeouts:\nlimits:\ncache:\npools:\nroutes:\n", "~", "\u{FEFF}# marked\n"] {
            try withFile(text.utf8) { file throws in
                #expect(try configuration(["--config", file]) == configuration([]))
            }
        }
    }

    @Test("Files that are too large or not UTF-8 are refused")
    func bytes() throws {
        #expect(try said(of: [0x61, 0xFF]) == ["F: the file is not UTF-8"])
        #expect(try said(of: [UInt8](repeating: 0x23, count: (1 << 20) + 1)) == ["F: the file is larger than 1m"])
        #expect(try said(of: [UInt8](repeating: 0x23, count: 1 << 20)) == [])
    }

    @Test("Lines may end with carriage return and line feed")
    func lineEnds() throws {
        try withFile("workers: 3\r\nlog:\r\n  format: json\r\n".utf8) { file throws in
            #expect(try configuration(["--config", file]).logFormat == .json)
        }
    }

    @Test("Aliases that multiply and lists without end are refused")
    func bombs() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...8 {
            text +=
                "a\(level): &a\(level) [" + [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
                + "]\n"
        }
        let refusal = "F: more than 100000 values, aliases counted each time, or nested deeper than 64"
        #expect(try said(of: text.utf8) == [refusal])
        #expect(
            try said(of: ("workers: " + String(repeating: "[", count: 100) + String(repeating: "]", count: 100)).utf8)
                == [refusal])
        #expect(try said(of: String(repeating: "[", count: 500_000).utf8).count == 1)
        #expect(try said(of: String(repeating: "- ", count: 500_000).utf8).count == 1)
    }

    @Test("Anchors may be used with measure")
    func anchors() throws {
        let text = """
            pools: {app: ["http://a"]}
            routes:
              - {path: /a, pool: app, response_fields: &f {set: {X-A: b}}}
              - {path: /b, pool: app, response_fields: *f}
            """
        try withFile(text.utf8) { file throws in
            let routes = try configuration(["--config", file]).routes
            #expect(routes.map(\.responseFields) == [[.set(name: "X-A", value: "b")], [.set(name: "X-A", value: "b")]])
        }
    }

    @Test("A route is read as it is written")
    func routes() throws {
        let result = try configuration(["--config", root.appending(path: "config/routes.yaml").path])
        var api = Configuration.Route(action: .pool("api"))
        api.host = "*.example.org"
        api.path = "/api"
        api.rewritePrefix = "/"
        api.requestFields = [.set(name: "X-Env", value: "prod"), .remove(name: "X-Debug")]
        api.responseFields = [.set(name: "X-Frame-Options", value: "DENY"), .remove(name: "Server")]
        var health = Configuration.Route(action: .answer(status: 200, contentType: "text/plain", body: "ok\n"))
        health.path = "/health"
        health.methods = ["GET"]
        var old = Configuration.Route(
            action: .redirect(status: 308, location: "https://example.org/new{path}{query}"))
        old.host = "example.org"
        old.path = "/old"
        #expect(result.routes == [old, health, api, Configuration.Route(action: .pool("app"))])
        #expect(result.pools.first?.servers.map(\.weight) == [3, 2, 1])
        #expect(result.pools.first?.servers.map(\.isBackup) == [false, false, true])
    }
}
