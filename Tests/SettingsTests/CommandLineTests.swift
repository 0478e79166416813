// SPDX-License-Identifier: Apache-2.0
// Flags and variables: what is wrong with them, and which source wins.

import Settings
import Testing

@Suite struct CommandLineTests {
    static let wrongFlags: [([String], [String])] = [
        (["--prot", "80"], [#"gateway: unknown flag "--prot"; did you mean --port?"#]),
        (["--nothing-like-it"], [#"gateway: unknown flag "--nothing-like-it"; see --help"#]),
        (["-x"], [#"gateway: unknown flag "-x"; see --help"#]),
        (["serve"], [#"gateway: unexpected argument "serve"; every setting is a flag (see --help)"#]),
        (["--port"], ["gateway: --port: needs a value: --port N"]),
        (["--log", "--check"], ["gateway: --log: needs a value: --log FILE"]),
        (["--log", "-t"], ["gateway: --log: needs a value: --log FILE"]),
        (["--check=yes"], ["gateway: --check: takes no value"]),
        (["--dump"], ["gateway: --dump: goes with --check"]),
        (["--port", "1", "--port=2"], ["gateway: --port=2: --port is given twice"]),
        (["--port=65536"], [#"gateway: --port=65536: expected a whole number from 0 to 65535; found "65536""#]),
        (["--workers", "-1"], [#"gateway: --workers -1: expected a whole number from 1 to 1024; found "-1""#]),
        (
            ["--header-timeout", "90"],
            [
                "gateway: --header-timeout 90: expected a duration between 1ms and 1h, such as 15s; "
                    + #"found "90" (did you mean 90s?)"#
            ]
        ),
        (
            ["--upstream", "http://a:80,weight=0"],
            [
                "gateway: --upstream http://a:80,weight=0: weight must be a whole number from 1 to 256, "
                    + #"found "0""#
            ]
        ),
        (
            ["--upstream", "http://a,wieght=2"],
            [#"gateway: --upstream http://a,wieght=2: unknown option "wieght=2"; did you mean 'weight'?"#]
        ),
        (["--upstream=http://a,backup=1"], ["gateway: --upstream=http://a,backup=1: backup takes no value"]),
        (["--upstream=http://a,backup,backup"], ["gateway: --upstream=http://a,backup,backup: backup is given twice"]),
        (["--upstream=http://a", "--upstream=http://a:80"], ["gateway: --upstream=http://a:80: a:80 is given twice"]),
        (
            ["--upstream=https://a", "--upstream=http://a:443"],
            ["gateway: --upstream=http://a:443: a:443 is given twice"]
        ),
        (
            ["--bind", "example.org"],
            [
                "gateway: --bind example.org: expected a numeric address, such as 127.0.0.1 or ::1; "
                    + #"found "example.org""#
            ]
        ),
        (
            ["--max-header-bytes=4k", "--max-line-bytes=8k"],
            [
                "gateway: --max-line-bytes=8k: limits.line_bytes: a line of 8k is longer than a whole head, "
                    + "limits.head_bytes: 4k"
            ]
        ),
        ([""], [#"gateway: unexpected argument ""; every setting is a flag (see --help)"#]),
        (["--"], [#"gateway: unexpected argument "--"; every setting is a flag (see --help)"#]),
        (["--log="], [#"gateway: --log=: expected the path of a file; found """#]),
        (
            ["--upstream=http://\u{1B}[31m"],
            [#"gateway: --upstream=http://?[31m: expected a host name or an address; found "\x1b[31m""#]
        ),
        (["--config", "/nonexistent/g.yaml"], ["/nonexistent/g.yaml: there is no such file"]),
        (["--config", "/"], ["/: expected a file; this is a directory"]),
        (["--config", "/dev/null"], ["/dev/null: expected a regular file"]),
        (
            ["--log-format=xml", "--bogus", "1", "--max-fields=0"],
            [
                #"gateway: unknown flag "--bogus"; see --help"#,
                #"gateway: --log-format=xml: expected one of common, combined, json; found "xml""#,
                #"gateway: --max-fields=0: expected a whole number from 1 to 100; found "0""#,
            ]
        ),
    ]

    @Test("A wrong flag gets exactly these lines", arguments: wrongFlags)
    func wrongFlag(_ arguments: [String], _ lines: [String]) {
        #expect(complaints(arguments) == lines)
    }

    static let wrongVariables: [(String, String, [String])] = [
        ("GATEWAY_PORT", "http", [#"GATEWAY_PORT: expected a whole number from 0 to 65535; found "http""#]),
        (
            "GATEWAY_PORT", "tcp://10.0.0.1:80",
            [
                #"GATEWAY_PORT: expected a whole number from 0 to 65535; found "tcp://10.0.0.1:80" (Kubernetes sets this "#
                    + "for a service named gateway; enableServiceLinks: false prevents it)"
            ]
        ),
        ("GATEWAY_WORKER", "2", ["GATEWAY_WORKER: unknown variable; did you mean GATEWAY_WORKERS?"]),
        (
            "GATEWAY_UPSTREAM", "http://a http://b,weight=300",
            [#"GATEWAY_UPSTREAM: weight must be a whole number from 1 to 256, found "300""#]
        ),
        ("GATEWAY_CONFIG", "/nonexistent.yaml", ["/nonexistent.yaml: there is no such file"]),
        ("GATEWAY_PORT", "", []),
        ("GATEWAY_PORT_8080_TCP", "tcp://10.0.0.1:80", []),
        ("GATEWAY_SERVICE_HOST", "10.0.0.1", []),
        ("HOME", "/", []),
    ]

    @Test("A wrong variable gets exactly these lines", arguments: wrongVariables)
    func wrongVariable(_ name: String, _ text: String, _ lines: [String]) {
        #expect(complaints([], variables: [name: text]) == lines)
    }

    @Test("A flag wins over a variable, a variable over the file, the file over the default")
    func precedence() throws {
        try withFile("timeouts: {header: 1s, body: 1s, idle: 1s}\ntrusted_proxies: [10.0.0.0/8]\n".utf8) {
            file throws in
            let result = try configuration(
                ["--config", file, "--header-timeout=3s", "--trusted-proxies=loopback"],
                variables: [
                    "GATEWAY_HEADER_TIMEOUT": "2s", "GATEWAY_BODY_TIMEOUT": "2s", "GATEWAY_TRUSTED_PROXIES": "private",
                ])
            #expect(result.timeouts.header == 3_000)
            #expect(result.timeouts.body == 2_000)
            #expect(result.timeouts.idle == 1_000)
            #expect(result.timeouts.write == 60_000)
            #expect(result.trustedProxies.map(\.prefix) == [8, 128])
        }
    }

    @Test("The standard file is read where there is one, unless another is named")
    func standardFile() throws {
        try withFile("workers: 7\n".utf8) { standard throws in
            #expect(try configuration([], defaultFile: standard).workers == 7)
            try withFile("".utf8) { other throws in
                #expect(try configuration(["--config", other], defaultFile: standard).workers == 2)
            }
        }
        #expect(try configuration([], defaultFile: "/nonexistent/gateway.yaml").workers == 2)
    }

    @Test("Port and address of flags keep the other half of the file's only listener")
    func listeners() throws {
        #expect(try configuration([]).listeners == [.init(address: "::", port: 8_080)])
        #expect(try configuration(["--bind=[::1]"]).listeners == [.init(address: "::1", port: 8_080)])
        try withFile("listeners: [\"127.0.0.1:80\"]".utf8) { file throws in
            #expect(try configuration(["--config", file]).listeners == [.init(address: "127.0.0.1", port: 80)])
            #expect(
                try configuration(["--config", file, "--port=90"]).listeners == [.init(address: "127.0.0.1", port: 90)])
        }
        try withFile("listeners: [80, 81]".utf8) { file throws in
            #expect(
                complaints(["--config", file, "--port", "90"]) == [
                    "gateway: --port 90: the file has 2 listeners; give --bind and --port together to replace them"
                ])
        }
    }

    @Test("Servers of flags make the pool named default, which routes of the file may name")
    func servers() throws {
        let flags = ["--upstream=http://a:81,weight=3", "--upstream", "http://[::1],backup"]
        let pool = Configuration.Pool(
            name: "default",
            servers: [.init(host: "a", port: 81, weight: 3), .init(host: "::1", port: 80, isBackup: true)])
        #expect(try configuration(flags).pools == [pool])
        try withFile("routes: [{path: /a, pool: default}]".utf8) { file throws in
            #expect(try configuration(flags + ["--config", file]).pools == [pool])
        }
        try withFile("pools: {app: http://a}".utf8) { file throws in
            #expect(
                complaints(["--config", file, "--upstream=http://b"]) == [
                    "gateway: --upstream=http://b: the file has pools (\(file):1); add the server to one of them, "
                        + "or leave pools out of the file"
                ])
        }
    }

    @Test("Help and version are given even when other flags are wrong")
    func helpAndVersion() throws {
        #expect(try read(["--bogus", "-V"]) == .version)
        guard case .help(let text) = try read(["--bogus", "-h"]) else { throw UnexpectedInvocation() }
        #expect(text.hasPrefix("Usage: gateway "))
        #expect(text.split(separator: "\n").allSatisfy { $0.count < 80 })
    }

    @Test("Check tells what an operator may want to know")
    func notes() throws {
        guard case .check(_, let notes) = try read(["-t", "--workers=4", "--log=l"]) else {
            throw UnexpectedInvocation()
        }
        #expect(
            notes == [
                "no upstream servers: the embedded origins answer what no route answers", "4 workers share 2 cores",
            ])
    }
}
