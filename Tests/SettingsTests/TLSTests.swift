// SPDX-License-Identifier: Apache-2.0
// The settings of TLS: how they are read, how flags and file go together, and which need each other.

import Settings
import Testing

@Suite struct TLSTests {
    static let file = """
        listeners: [8080, {address: "127.0.0.1", port: 8443, tls: true}]
        tls:
          certificates:
            - {cert: a.pem, key: a.key, ocsp: a.ocsp}
            - cert: both.pem
          min_version: "1.3"
          client_ca: ca.pem
          client_certificate: optional
          ocsp_fetch: true
          redirect: true
          hsts: 365d
        upstream_tls:
          ca: roots.pem
          cert: c.pem
          key: c.key
          insecure_skip_verify: true
        timeouts: {handshake: 5s}
        limits: {handshakes: 100}
        pools: {app: ["https://a", {url: "HTTPS://b:8443", weight: 2}, "http://c"]}
        """

    private static var inFile: Configuration.TLS {
        var tls = Configuration.TLS()
        tls.certificates = [
            .init(certificate: "a.pem", key: "a.key", ocsp: "a.ocsp"),
            .init(certificate: "both.pem", key: "both.pem"),
        ]
        tls.minimumVersion = .tls13
        tls.clientCA = "ca.pem"
        tls.clientCertificate = .optional
        tls.fetchesOCSP = true
        tls.redirectsPlain = true
        tls.hstsSeconds = 31_536_000
        return tls
    }

    @Test("Everything of the file is read")
    func wholeFile() throws {
        try withFile(Self.file.utf8) { file throws in
            let result = try configuration(["--config", file])
            #expect(result.tls == Self.inFile)
            var upstream = Configuration.UpstreamTLS()
            upstream.ca = "roots.pem"
            upstream.certificate = "c.pem"
            upstream.key = "c.key"
            upstream.verifies = false
            #expect(result.upstreamTLS == upstream)
            #expect(
                result.listeners == [
                    .init(address: "::", port: 8_080), .init(address: "127.0.0.1", port: 8_443, isTLS: true),
                ])
            #expect(result.timeouts.handshake == 5_000)
            #expect(result.limits.handshakes == 100)
            #expect(
                result.pools.first?.servers == [
                    .init(host: "a", port: 443, isTLS: true), .init(host: "b", port: 8_443, weight: 2, isTLS: true),
                    .init(host: "c", port: 80),
                ])
        }
    }

    @Test("Flags say the same")
    func flags() throws {
        let result = try configuration([
            "--tls-port=8443", "--cert", "a.pem", "--cert=b.pem", "--key=a.key", "--key", "b.key",
            "--tls-min-version=1.3", "--client-ca=ca.pem", "--client-cert=optional", "--ocsp-fetch", "--https-redirect",
            "--hsts=365d", "--port=8080", "--upstream-insecure-skip-verify", "--upstream-cert=c.pem",
        ])
        var tls = Self.inFile
        tls.certificates = [.init(certificate: "a.pem", key: "a.key"), .init(certificate: "b.pem", key: "b.key")]
        #expect(result.tls == tls)
        #expect(!result.upstreamTLS.verifies)
        #expect(result.upstreamTLS.certificate == "c.pem")
        #expect(result.upstreamTLS.key == nil)
    }

    @Test("Without --key each key is in its certificate's file, and flags replace the certificates of the file")
    func certificates() throws {
        try withFile("tls: {certificates: [{cert: a.pem, ocsp: a.ocsp}, {cert: b.pem}]}".utf8) { file throws in
            let result = try configuration(["--config", file, "--cert=c.pem"])
            #expect(result.tls.certificates == [.init(certificate: "c.pem", key: "c.pem")])
        }
    }

    @Test("Variables hold several paths separated by spaces, and yes or no in two ways")
    func variables() throws {
        let result = try configuration(
            ["--upstream-insecure-skip-verify=false"],
            variables: [
                "GATEWAY_TLS_PORT": "8443", "GATEWAY_PORT": "8080", "GATEWAY_CERT": "a.pem b.pem",
                "GATEWAY_KEY": "a.key b.key",
                "GATEWAY_OCSP_FETCH": "1", "GATEWAY_HTTPS_REDIRECT": "true",
                "GATEWAY_UPSTREAM_INSECURE_SKIP_VERIFY": "1",
            ])
        #expect(
            result.tls.certificates == [
                .init(certificate: "a.pem", key: "a.key"), .init(certificate: "b.pem", key: "b.key"),
            ])
        #expect(result.tls.fetchesOCSP && result.tls.redirectsPlain && result.upstreamTLS.verifies)
        #expect(try configuration(["--ocsp-fetch"], variables: ["GATEWAY_OCSP_FETCH": "0"]).tls.fetchesOCSP)
        try withFile("tls: {ocsp_fetch: true}".utf8) { file throws in
            let variables = ["GATEWAY_OCSP_FETCH": "0"]
            #expect(try !configuration(["--config", file], variables: variables).tls.fetchesOCSP)
        }
    }

    private static func plain(_ port: UInt16, _ address: String = "::") -> Configuration.Listener {
        .init(address: address, port: port)
    }
    private static func over(_ port: UInt16, _ address: String = "::") -> Configuration.Listener {
        .init(address: address, port: port, isTLS: true)
    }

    static let listeners: [(file: String, flags: [String], result: [Configuration.Listener])] = [
        ("", [], [plain(8_080)]),
        ("", ["--bind=::1"], [plain(8_080, "::1")]),
        ("", ["--tls-port=8443"], [over(8_443)]),
        ("", ["--tls-port=8443", "--port=8080"], [plain(8_080), over(8_443)]),
        ("", ["--tls-port=8443", "--bind=::1"], [over(8_443, "::1")]),
        ("", ["--tls-port=8080"], [over(8_080)]),
        ("", ["--tls-port=0", "--port=0"], [plain(0), over(0)]),
        ("{port: 443, tls: true}", [], [over(443)]),
        ("{port: 443, tls: true}", ["--port=80"], [plain(80), over(443)]),
        ("{port: 443, tls: true}", ["--tls-port=444"], [over(444)]),
        ("{port: 443, tls: true}", ["--bind=::1"], [over(443, "::1")]),
        ("80", ["--tls-port=443"], [plain(80), over(443)]),
        ("'127.0.0.1:80'", ["--tls-port=443"], [plain(80, "127.0.0.1"), over(443, "127.0.0.1")]),
        ("80, {port: 443, tls: true}", ["--bind=::1"], [plain(80, "::1"), over(443, "::1")]),
        ("80, 81, {port: 443, tls: true}", ["--tls-port=444"], [plain(80), plain(81), over(444)]),
        (
            "80, 81, {port: 443, tls: true}", ["--bind=::1", "--port=90"], [plain(90, "::1"), over(443, "::1")]
        ),
    ]

    @Test("Ports and the address of flags go together with the listeners of the file", arguments: listeners)
    func joins(_ file: String, _ flags: [String], _ result: [Configuration.Listener]) throws {
        try withFile((file.isEmpty ? "" : "listeners: [\(file)]").utf8) { path throws in
            let configuration = try configuration(["--config", path] + flags)
            #expect(configuration.listeners == result)
        }
    }

    private static let pairing =
        "the nth --key belongs to the nth --cert, and without any --key each key is in its certificate's file"
    private static let remedy = "add --tls-port N, or tls: true to a listener of the file"
    private static let rootless =
        "tls.client_certificate: clients are asked for certificates only when there are roots to check them with; give "
        + "tls.client_ca (--client-ca) too"
    private static let certless =
        "upstream_tls.key: a key without its certificate; give upstream_tls.cert (--upstream-cert) too"

    static let wrong: [(file: String, flags: [String], lines: [String])] = [
        (
            "", ["--cert=a", "--cert=b", "--key=c"],
            ["gateway: --key=c: 2 certificates and 1 key are given; \(pairing)"]
        ),
        ("", ["--cert=a", "--key=b", "--key=c"], ["gateway: --key=c: 1 certificate and 2 keys are given; \(pairing)"]),
        (
            "tls: {certificates: [{cert: a}]}", ["--key", "b"],
            ["gateway: --key b: no certificates and 1 key are given; \(pairing)"]
        ),
        ("", ["--cert=a", "--cert=a"], [#"gateway: --cert=a: "a" is given twice"#]),
        ("", ["--cert=a", "--cert=", "--key=c"], [#"gateway: --cert=: expected the path of a file; found """#]),
        ("", ["--client-cert=required"], ["gateway: --client-cert=required: \(rootless)"]),
        ("tls: {client_certificate: optional}", [], ["F:1:7: \(rootless)"]),
        (
            "", ["--client-cert=required", "--client-ca="],
            [#"gateway: --client-ca=: expected the path of a file; found """#]
        ),
        ("", ["--upstream-key", "k"], ["gateway: --upstream-key k: \(certless)"]),
        ("upstream_tls: {key: k}", [], ["F:1:16: \(certless)"]),
        (
            "tls: {redirect: true, hsts: 1d}", [],
            [
                "F:1:7: tls.redirect: there is no TLS listener to redirect to; \(remedy)",
                "F:1:23: tls.hsts: there is no TLS listener that browsers could keep to; \(remedy)",
            ]
        ),
        (
            "", ["--https-redirect"],
            ["gateway: --https-redirect: tls.redirect: there is no TLS listener to redirect to; \(remedy)"]
        ),
        (
            "", ["--tls-port=x", "--hsts=1d"],
            [#"gateway: --tls-port=x: expected a whole number from 0 to 65535; found "x""#]
        ),
        ("", ["--hsts=1d", "--tls-port"], ["gateway: --tls-port: needs a value: --tls-port N"]),
        (
            "listeners: [{port: x, tls: true}]\ntls: {redirect: true}", [],
            [#"F:1:20: listeners.port: expected a whole number from 0 to 65535; found "x""#]
        ),
        (
            "", ["--port=8443", "--tls-port=8443"],
            ["gateway: --tls-port=8443: [::]:8443 cannot be plain and TLS at the same time"]
        ),
        (
            "listeners: [{port: 1, tls: true}, {port: 2, tls: true}, 3]\ntls: {redirect: true}", ["--tls-port=4"],
            ["gateway: --tls-port=4: the file has 2 TLS listeners; give --bind and --tls-port together to replace them"]
        ),
        (
            "listeners: [1, 2, {port: 3, tls: true}]", ["--port=4"],
            ["gateway: --port=4: the file has 2 plain listeners; give --bind and --port together to replace them"]
        ),
        (
            "listeners: ['[::1]:1', '127.0.0.1:1']", ["--tls-port=4"],
            [
                "gateway: --tls-port=4: the file's listeners have 2 addresses, of which this one has to be told; "
                    + "add it to the file"
            ]
        ),
        (
            "", ["--tls-port=8443", "--https-redirect"],
            [
                "gateway: --https-redirect: tls.redirect: there is no plain listener whose requests could be redirected; "
                    + "add --port N, or a listener without TLS to the file"
            ]
        ),
        (
            "", ["--client-ca=a"],
            [
                "gateway: --client-ca=a: tls.client_ca: there is no TLS listener whose clients could be asked for "
                    + "certificates; \(remedy)"
            ]
        ),
        (
            "", ["--client-ca=a", "--tls-port=x"],
            [
                #"gateway: --tls-port=x: expected a whole number from 0 to 65535; found "x""#
            ]
        ),
        ("", ["--ocsp-fetch=yes"], [#"gateway: --ocsp-fetch=yes: expected true or false; found "yes""#]),
        ("", ["--ocsp-fetch", "--ocsp-fetch=true"], ["gateway: --ocsp-fetch=true: --ocsp-fetch is given twice"]),
        (
            "", ["--ocsp-fetch", "false"],
            [#"gateway: unexpected argument "false"; every setting is a flag (see --help)"#]
        ),
    ]

    @Test("Settings that do not go together get exactly these lines", arguments: wrong)
    func contradiction(_ file: String, _ flags: [String], _ lines: [String]) throws {
        try withFile(file.utf8) { path throws in
            #expect(complaints(["--config", path] + flags).map { $0.replacing(path, with: "F") } == lines)
        }
    }

    @Test("A variable of yes or no takes only those, and one of Kubernetes is recognised")
    func wrongVariables() {
        #expect(
            complaints([], variables: ["GATEWAY_OCSP_FETCH": "2"]) == [
                #"GATEWAY_OCSP_FETCH: expected true or false; found "2""#
            ])
        #expect(
            complaints([], variables: ["GATEWAY_TLS_PORT": "tcp://10.0.0.1:80"]) == [
                #"GATEWAY_TLS_PORT: expected a whole number from 0 to 65535; found "tcp://10.0.0.1:80" (Kubernetes "#
                    + "sets this for a service named gateway-tls; enableServiceLinks: false prevents it)"
            ])
        for name in ["SERVICE_PORT_HTTPS", "PORT_443_TCP_PORT", "PORT_443_TCP", "TLS_SERVICE_HOST", "TLS_PORT_443_TCP"]
        {
            #expect(complaints([], variables: ["GATEWAY_" + name: "tcp://10.0.0.1:443"]) == [], "\(name)")
        }
    }

    @Test("Check tells of certificates that are missing, not used or not verified")
    func notes() throws {
        let rest = ["-t", "--log=l", "--upstream=https://a"]
        func notes(_ flags: [String]) throws -> [String] {
            guard case .check(_, let notes) = try read(rest + flags) else { throw UnexpectedInvocation() }
            return notes
        }
        #expect(try notes(["--tls-port=0", "--cert=a"]) == [])
        #expect(
            try notes(["--tls-port=0"]) == ["no certificate for the TLS listener: a self-signed one is made at start"])
        #expect(try notes(["--cert=a"]) == ["no listener has TLS: certificates are not used"])
        let both = ["--tls-port=0", "--port=80", "--cert=a", "--client-ca=a"]
        #expect(try notes(both) == ["clients of [::]:80, which is plain HTTP, are asked for no certificate"])
        #expect(try notes(both + ["--https-redirect"]) == [])
        #expect(
            try notes(["--upstream-insecure-skip-verify"]) == ["certificates of upstream servers are not verified"])
    }
}
