// SPDX-License-Identifier: Apache-2.0
// What is made from the table: dump, help and reference page; and the examples in `config/`.

import Foundation
@testable import Settings
import Testing

@Suite struct DocumentTests {
    private func dump(_ arguments: [String], variables: [String: String] = [:]) throws -> String {
        guard case .dump(let text) = try read(arguments + ["--check", "--dump"], variables: variables) else {
            throw UnexpectedInvocation()
        }
        return text
    }

    static let full = [
        "--port=0", "--bind=127.0.0.1", "--workers=3", "--log=a \"b\"\n#c", "--log-format=json", "--max-body=10m",
        "--trusted-proxies=private,loopback", "--trusted-proxies", "fd00::1", "--header-timeout=1500ms",
        "--tunnel-timeout=7d", "--max-header-bytes=4k", "--min-body-rate=0", "--upstream=http://a,weight=256",
        "--upstream=http://[::1]:81,backup",
    ]

    static let overTLS = [
        "--port=80", "--tls-port=8443", "--bind=::1", "--cert=a: b.pem", "--key=\"a\".key", "--cert", "c.pem",
        "--key=d",
        "--tls-min-version=1.3", "--client-ca=ca.pem", "--client-cert=optional", "--ocsp-fetch",
        "--https-redirect=true",
        "--hsts=90d", "--upstream=https://a", "--upstream=https://[::1]:81,weight=2", "--upstream-ca=r",
        "--upstream-cert=s",
        "--upstream-key=t", "--upstream-tls-name=bank.test", "--upstream-insecure-skip-verify",
        "--handshake-timeout=2s", "--max-handshakes=7",
    ]

    static let cached = [
        "--no-cache", "--cache-dir=a: b", "--cache-size=3t", "--cache-memory=0", "--cache-max-object=1k",
        "--cache-ttl=90s", "--cache-heuristic", "--cache-honour-reload", "--cache-set-cookie=keep", "--no-cache-gzip",
        "--gzip-private", "--cache-wait=250ms", "--no-cache-status",
        "--cache-purge-from=10.0.0.0/8,::1",
    ]

    @Test(
        "A dump that is read again gives the same configuration",
        arguments: [[], full, overTLS, ["--tls-port=8443"], cached, ["--cache-purge-from=none"]])
    func roundTrip(_ arguments: [String]) throws {
        let text = try dump(arguments)
        try withFile(text.utf8) { file throws in
            #expect(try configuration(["--config", file]) == configuration(arguments))
        }
    }

    @Test("The dump of a file with all of TLS gives the same configuration")
    func roundTripOfTLS() throws {
        try withFile(TLSTests.file.utf8) { file throws in
            let arguments = ["--config", file]
            try withFile(try dump(arguments).utf8) { again throws in
                #expect(try configuration(["--config", again]) == configuration(arguments))
            }
        }
    }

    @Test("The dump of a file with all of the cache gives the same configuration")
    func roundTripOfTheCache() throws {
        try withFile(CacheTests.file.utf8) { file throws in
            let arguments = ["--config", file]
            try withFile(try dump(arguments).utf8) { again throws in
                #expect(try configuration(["--config", again]) == configuration(arguments))
            }
        }
    }

    @Test("The dump of an example gives the same configuration", arguments: examples)
    func roundTrip(of example: String) throws {
        let arguments = ["--config", root.appending(path: "config/\(example)").path]
        try withFile(try dump(arguments).utf8) { file throws in
            #expect(try configuration(["--config", file]) == configuration(arguments))
        }
    }

    @Test("A dump keeps strings that YAML would take for something else, and the order of changes")
    func strings() throws {
        let text = #"""
            pools: {"null": ["http://a"], "1": ["http://b"]}
            routes:
              - {path: "/~", answer: {body: "\u0000\u0085\u2028\ufeff\U0001F600 # \\ \" \t\r\n"}}
              - {pool: "null", request_fields: {remove: [A], set: {B: "true", C: ""}}, response_fields: {remove: [D]}}
            """#
        try withFile(text.utf8) { file throws in
            let arguments = ["--config", file]
            let again = try dump(arguments)
            try withFile(again.utf8) { file throws in
                #expect(try configuration(["--config", file]) == configuration(arguments))
            }
        }
    }

    @Test("The dump says where each value came from")
    func sources() throws {
        try withFile("\nlog: {format: json}\npools: {app: http://a}\n".utf8) { file throws in
            let lines = try dump(
                ["--config", file, "--port", "9000", "--idle-timeout=1m"], variables: ["GATEWAY_WORKERS": "5"]
            ).split(separator: "\n")
            for line in [
                "listeners:  # flag --port", "workers: 5  # variable GATEWAY_WORKERS",
                "  idle: 1m  # flag --idle-timeout",
                "  header: 15s  # default", "  # client_certificate: required  # default",
                "  certificates: []  # default",
                "  format: json  # \(file):2", "pools:  # \(file):3",
                "routes: []  # default",
            ] {
                #expect(lines.contains { $0 == line }, "\(line)")
            }
        }
    }

    @Test("Every setting stands in the help, the reference and, unless the file says it otherwise, the dump")
    func everySetting() throws {
        let help = Help.text()
        let page = SettingsReader.referencePage()
        let dump = try dump([])
        for setting in SettingTable.all {
            #expect(help.contains("  \(setting.usage)\n"))
            #expect(page.contains("`\(setting.variable)`"))
            if let key = setting.keys.last { #expect(dump.contains("\(key): "), "\(key)") }
        }
        #expect(Set(SettingTable.all.map(\.flag)).count == SettingTable.all.count)
        #expect(Set(SettingTable.all.map(\.key)).subtracting([""]).count == SettingTable.all.count - 6)
    }

    @Test("The reference page is the one that is made from the table")
    func reference() throws {
        let file = root.appending(path: "docs/settings.md")
        let page = SettingsReader.referencePage()
        if ProcessInfo.processInfo.environment["UPDATE_DOCS"] == "1" {
            try Data(page.utf8).write(to: file)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == page, "run the tests with UPDATE_DOCS=1")
    }

    @Test("There are no examples but those that are tested, and each is commented")
    func everyExample() throws {
        let folder = root.appending(path: "config")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == examples)
        for example in examples {
            let text = try String(contentsOf: folder.appending(path: example), encoding: .utf8)
            #expect(text.hasPrefix("# "))
        }
    }

    @Test("The example with every setting holds the defaults")
    func defaults() throws {
        let file = root.appending(path: "config/gateway.yaml")
        #expect(try configuration(["--config", file.path]) == configuration([]))
        let text = try String(contentsOf: file, encoding: .utf8)
        for setting in SettingTable.all {
            if let key = setting.keys.last { #expect(text.contains("\(key):"), "\(key)") }
        }
    }
}
