// SPDX-License-Identifier: Apache-2.0
import Settings
import Testing

@Suite("Settings of pools") struct PoolSettingsTests {
    private let file = """
        upstream: {health_check_interval: 7s, max_fails: 9}
        pools:
          api:
            health_check_path: /health
            health_check_status: 200-299,304
            max_fails: 0
            retry_status: none
            servers: ["http://a", {url: "http://b", weight: 2}]
          web: ["http://c"]
        """

    @Test("hold for every pool, but where a pool has its own, whatever flags say")
    func own() throws {
        try withFile(file.utf8) { path in
            let result = try configuration(["--config", path, "--slow-start", "3s", "--max-fails=4"])
            let api = result.pools[0]
            let web = result.pools[1]
            #expect(api.servers.map(\.weight) == [1, 2])
            #expect(api.settings.check.path == "/health")
            #expect(api.settings.check.statuses == .init([200...299, 304...304]))
            #expect(api.settings.retries.statuses == .init([]))
            #expect([api, web].map(\.settings.ejection.failures) == [0, 4])
            #expect([api, web].map(\.settings.check.interval) == [7_000, 7_000])
            #expect([api, web].map(\.settings.slowStart) == [3_000, 3_000])
            #expect(web.settings == result.upstream)
        }
    }

    @Test("are those of the pool that flags make, too")
    func flags() throws {
        let result = try configuration(["--upstream=http://a", "--health-check-path", "/up", "--retry-status=503"])
        #expect(result.pools[0].settings.check.path == "/up")
        #expect(result.pools[0].settings.retries.statuses == .init([503...503]))
        #expect(try !configuration(["--upstream=http://a", "--no-health-check"]).pools[0].settings.check.isOn)
    }

    @Test("stand in the dump, which gives the same when it is read again")
    func dump() throws {
        try withFile(file.utf8) { path throws in
            guard case .dump(let text) = try read(["--config", path, "--check", "--dump"]) else { return }
            #expect(text.contains("    health_check_path: \"/health\"\n"))
            try withFile(text.utf8) { copy throws in
                let again = try configuration(["--config", copy])
                let first = try configuration(["--config", path])
                #expect(again.pools == first.pools)
                #expect(again.upstream == first.upstream)
            }
        }
    }

    @Test(
        "that are wrong are told",
        arguments: [
            ("--health-check-path=health", "expected a path that begins with /, without spaces; found \"health\""),
            ("--health-check-path=/a b", "expected a path that begins with /, without spaces; found \"/a b\""),
            ("--health-check-host=a/b", "expected a host, with or without a port; found \"a/b\""),
            ("--retries=8", "expected a whole number from 0 to 7; found \"8\""),
            (
                "--health-check-status=200-99",
                "expected statuses from 100 to 599, such as 200-399 or 502,503,504, or the word none; found \"200-99\""
            ),
            (
                "--retry-status=502,",
                "expected statuses from 100 to 599, such as 200-399 or 502,503,504, or the word none; found \"502,\""
            ),
        ])
    func wrong(_ flag: String, _ complaint: String) {
        #expect(complaints(["--upstream=http://a", flag]) == ["gateway: \(flag): \(complaint)"])
    }

    @Test("with keys that no pool has, or without servers, are told at their places")
    func wrongKeys() throws {
        let text = "pools:\n  a: {servers: [\"http://a\"], healthcheck: true, retries: many}\n  b: {retries: 1}"
        try withFile(text.utf8) { path in
            let told = complaints(["--config", path]).map { $0.split(separator: ".yaml:").last.map(String.init) ?? "" }
            #expect(
                told == [
                    "2:30: pools.a: unknown key 'healthcheck'; did you mean 'health_check'?",
                    "2:58: pools.a.retries: expected a whole number from 0 to 7; found \"many\"",
                    "3:3: pools.b: the pool has no servers",
                ])
        }
    }
}
