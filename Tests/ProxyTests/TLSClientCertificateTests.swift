// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("A client's certificate") struct TLSClientCertificateTests {
    private let clients = CertificateAuthority("Clients")
    private let folder = TemporaryFolder()

    private func gateway(
        _ origin: ScriptedServer, optional: Bool = false, lists: String = "",
        _ configure: (inout Configuration) -> Void = { _ in }
    ) throws -> RunningGateway {
        let path = folder.write(clients.pem + lists, to: "clients.pem")
        return try RunningGateway(upstreams: [origin.port], certificates: [localhost]) {
            $0.tls.clientCA = path
            $0.tls.clientCertificate = optional ? .optional : .required
            configure(&$0)
        }
    }

    private func person(_ name: String, until: Int = 86_400, usage: String = "clientAuth") -> TestCertificate {
        clients.issue([], subject: name, from: -86_400, until: until, usage: usage)
    }

    private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    /// What came of a connection that shows `certificate`.
    private func attempt(
        _ gateway: RunningGateway, _ version: TLSSide.Version, _ certificate: TestCertificate?
    ) -> SecurePeer {
        let client = gateway.connectSecurely(.client(version, showing: certificate))
        // In TLS 1.3 a client learns only afterwards that it was refused.
        if client.isSecure {
            client.send(request)
            _ = client.receiveMessage()
        }
        return client
    }

    @Test("is required, and must be a good one", arguments: TLSSide.Version.allCases)
    func refused(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer.answering(ok("x"))
        let revoked = person("revoked")
        let gateway = try gateway(origin, lists: clients.revocationList(of: [revoked]))
        let foreign = CertificateAuthority("Others").issue([], subject: "foreign", usage: "clientAuth")
        var ends: [SecurePeer.End] = []
        for certificate in [
            nil, foreign, person("old", until: -3600), .selfSigned(), revoked, person("server", usage: "serverAuth"),
        ] {
            ends.append(attempt(gateway, version, certificate).end)
        }
        for end in ends {
            guard case .alert = end else {
                Issue.record("no alert but \(end)")
                continue
            }
        }
        #expect(origin.connections == 0)
        #expect(gateway.waitForConnections(0))
        let words = gateway.log().compactMap { $0.word(after: "reason=") }
        #expect(
            words == [
                "tls-no-certificate", "certificate-unknown-issuer", "certificate-expired", "certificate-self-signed",
                "certificate-revoked", "certificate-wrong-purpose",
            ])
    }

    @Test("that is good is named to upstream servers, and nobody can name another", arguments: TLSSide.Version.allCases)
    func named(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try gateway(origin)
        let client = gateway.connectSecurely(.client(version, showing: person("Alice, of \"A\"")))
        let forged =
            "GET / HTTP/1.1\r\nHost: a\r\nX-Client-Cert-Subject: CN=Mallory\r\nx-client-cert-Subject: CN=Mallory\r\n"
            + "X-Client-Cert-Verify: Mallory\r\nClient-Cert: :Mallory:\r\nClient-Cert-Chain: :Mallory:\r\n"
            + "X_Client_Cert_Subject: Mallory\r\nConnection: X-Client-Cert-Subject\r\n\r\n"
        client.send(forged)
        #expect(client.receiveMessage().body == "x")
        let head = origin.requests.first ?? ""
        #expect(head.contains("\r\nX-Client-Cert-Subject: CN=Alice\\, of \\\"A\\\"\r\n"), "\(head)")
        #expect(!head.contains("Mallory"))
    }

    @Test("that shows another's name with line ends in it cannot make fields of them")
    func lineEnds() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try gateway(origin)
        let client = gateway.connectSecurely(.client(showing: person("a\r\nX-Evil: 1")))
        client.send(request)
        #expect(client.receiveMessage().body == "x")
        #expect(origin.requests.first?.contains("\r\nX-Evil") == false)
    }

    @Test("takes the word from a trusted proxy's mouth only when it shows none itself")
    func trustedProxy() throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try gateway(origin, optional: true) {
            $0.trustedProxies = [.init(bytes: [127, 0, 0, 1], prefix: 32)]
        }
        let told = "GET / HTTP/1.1\r\nHost: a\r\nX-Client-Cert-Subject: CN=Bob\r\nClient-Cert: :Bob:\r\n\r\n"
        for certificate in [nil, person("proxy")] {
            let client = gateway.connectSecurely(.client(showing: certificate))
            client.send(told)
            #expect(client.receiveMessage().body == "x")
        }
        let heads = origin.requests
        #expect(heads[0].contains("X-Client-Cert-Subject: CN=Bob\r\n") && heads[0].contains("Client-Cert: :Bob:\r\n"))
        #expect(heads[1].contains("X-Client-Cert-Subject: CN=proxy\r\n") && !heads[1].contains("Bob"))
    }

    @Test("may be missing where it is optional, but not be a bad one", arguments: TLSSide.Version.allCases)
    func optional(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try gateway(origin, optional: true)
        #expect(attempt(gateway, version, nil).end == .none)
        #expect(attempt(gateway, version, person("old", until: -3600)).end != .none)
        #expect(origin.requests.count == 1)
        #expect(origin.requests.first?.contains("X-Client-Cert") == false)
    }

    @Test("that was shown once stands for a resumed session too", arguments: TLSSide.Version.allCases)
    func resumed(_ version: TLSSide.Version) throws {
        let origin = ScriptedServer.answering(ok("x"))
        let gateway = try gateway(origin)
        let side = TLSSide.client(version, showing: person("Alice"))
        let first = gateway.connectSecurely(side)
        first.send(request)
        #expect(first.receiveMessage().body == "x")
        let session = try #require(first.session)
        let second = gateway.connectSecurely(side, resuming: session)
        #expect(second.isResumed)
        second.send(request)
        #expect(second.receiveMessage().body == "x")
        #expect(origin.requests.count { $0.contains("X-Client-Cert-Subject: CN=Alice\r\n") } == 2)
    }
}

extension String {
    /// The word behind the last `mark`.
    func word(after mark: String) -> String? {
        var start = startIndex
        var found: Substring?
        while start < endIndex {
            if self[start...].hasPrefix(mark) { found = self[start...].dropFirst(mark.count) }
            start = index(after: start)
        }
        return found.map { String($0.prefix { $0 != " " }) }
    }
}
