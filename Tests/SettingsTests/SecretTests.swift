// SPDX-License-Identifier: Apache-2.0
// Secrets are printed nowhere: not in a dump, not in what is told of mistakes.

@testable import Settings
import Testing

@Suite("Secrets") struct SecretTests {
    private let secret = "open sesame, you door!"

    private func dump(_ arguments: [String], variables: [String: String] = [:]) throws -> String {
        guard case .dump(let text) = try read(arguments + ["--check", "--dump"], variables: variables) else {
            throw UnexpectedInvocation()
        }
        return text
    }

    @Test("are left out of a dump, which says where they are set and is a settings file still")
    func dumps() throws {
        let common = try dump(["--sticky-secret", secret])
        #expect(!common.contains("sesame"))
        #expect(common.contains("  # sticky_secret: a secret, not shown  # flag --sticky-secret\n"))
        #expect(try !dump([], variables: ["GATEWAY_STICKY_SECRET": secret]).contains("sesame"))
        let file = """
            upstream: {sticky_secret: "\(secret)1"}
            pools: {a: {sticky_secret: "\(secret)2", servers: ["http://a"]}, b: ["http://b"]}
            routes:
              - pool: a
                request_fields: {set: {Authorization: "sesame 3", X-Api-Key: sesame4, X-B: c}, remove: [Cookie]}
              - {path: /x, pool: b, request_fields: {set: {X-Origin-Token: sesame}}}
            """
        try withFile(file.utf8) { path throws in
            let text = try dump(["--config", path])
            #expect(!text.contains("sesame"))
            #expect(text.contains("    # sticky_secret: a secret, not shown\n"))
            #expect(text.contains("# request_fields: {set: {\"X-Api-Key\": a secret, not shown}}"))
            try withFile(text.utf8) { again throws in
                var expected = try configuration(["--config", path])
                expected.upstream.balance.stickySecret = nil
                for index in expected.pools.indices { expected.pools[index].settings.balance.stickySecret = nil }
                expected.routes[0].requestFields = [.set(name: "X-B", value: "c"), .remove(name: "Cookie")]
                expected.routes[1].requestFields = []
                #expect(try configuration(["--config", again]) == expected)
            }
        }
    }

    static let mistakes: [(file: String, flags: [String], variables: [String: String], line: String)] = [
        ("", ["--sticky-secret=short"], [:], "gateway: --sticky-secret: expected a text of 16 to 256 bytes; found "),
        (
            "", ["--sticky-secret", "short"], [:],
            "gateway: --sticky-secret: expected a text of 16 to 256 bytes; found "
        ),
        ("", [], ["GATEWAY_STICKY_SECRET": "short"], "GATEWAY_STICKY_SECRET: expected a text of 16 to 256 bytes"),
        ("upstream: {sticky_secret: short}", [], [:], "F:1:27: upstream.sticky_secret: expected a text of 16 to 256"),
        (
            "pools: {a: {sticky_secret: short, servers: ['http://a']}}", [], [:],
            "F:1:28: pools.a.sticky_secret: expected a text of 16 to 256 bytes"
        ),
        (
            "", ["--sticky-secret=a short one, long", "--sticky-secret=another short one"], [:],
            "gateway: --sticky-secret: --sticky-secret is given twice"
        ),
        (
            "", ["--sticky-secret", "-short"], [:],
            "gateway: --sticky-secret: expected a text of 16 to 256 bytes; found "
        ),
        (
            "", ["--sticky-secret", "--short"], [:],
            "gateway: --sticky-secret: expected a text of 16 to 256 bytes; found "
        ),
        ("", ["--sticky-secret", "--no-cache"], [:], "gateway: --sticky-secret: needs a value: --sticky-secret TEXT"),
        (
            "", ["--sticky-secret", "sixteen letters.", "short"], [:],
            "gateway: unexpected argument; every setting is a"
        ),
        ("", ["--upstream=http://u:short@a"], [:], "gateway: --upstream: a server's URL has no user or password"),
        ("", ["--upstream", "u:short@a:1"], [:], "gateway: --upstream: a server's URL has no user or password"),
        ("", ["--upstream=http://u:1/short@a/"], [:], "gateway: --upstream: a server's URL has no user or password"),
        ("", ["--upstream=http://u:1,short@a"], [:], "gateway: --upstream: a server's URL has no user or password"),
        ("", [], ["GATEWAY_UPSTREAM": "http://u:short@a"], "GATEWAY_UPSTREAM: a server's URL has no user or password"),
        ("pools: {a: 'http://u:short@a'}", [], [:], "F:1:12: pools.a: a server's URL has no user or password"),
        (
            "pools: {a: [{url: 'http://u:short/@a'}]}", [], [:],
            "F:1:19: pools.a.url: a server's URL has no user or password"
        ),
        (
            "upstream:\n  sticky_secret short", [], [:],
            "F:2:3: upstream: expected keys with values; found a text that is "
        ),
        ("", ["sticky_secret=short"], [:], "gateway: unexpected argument a text that is not shown"),
        ("", ["--sticky_secret=short"], [:], "gateway: unknown flag"),
        ("", ["--resolver=u:short@192.0.2.1"], [:], "gateway: --resolver: expected a numeric address"),
        (
            "pools: {a: 'http://a'}\nroutes: [{pool: a, request_fields: {set: {Authorization: ' short'}}}]", [], [:],
            "F:2:58: routes.request_fields.set.Authorization: a field value neither starts nor ends with a space"
        ),
    ]

    @Test("are not quoted in what is told of them", arguments: mistakes)
    func messages(_ file: String, _ flags: [String], _ variables: [String: String], _ line: String) throws {
        try withFile(file.utf8) { path throws in
            let told = complaints(["--config", path] + flags, variables: variables).map {
                $0.replacing(path, with: "F")
            }
            #expect(told.count == 1)
            #expect(told.first?.hasPrefix(line) == true, "\(told)")
            #expect(!told.contains { $0.contains("short") })
        }
    }

    @Test("are marked where settings are declared")
    func marks() {
        #expect(SettingTable.all.filter(\.isSecret).map(\.flag) == ["sticky-secret"])
    }
}
