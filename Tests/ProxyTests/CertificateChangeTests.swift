// SPDX-License-Identifier: Apache-2.0
import Settings
import TestSupport
import Testing

@Suite("A certificate's files") struct CertificateChangeTests {
    private func gateway(_ certificates: [TestCertificate]) throws -> RunningGateway {
        try RunningGateway(upstreams: [1], certificates: certificates) {
            $0.routes = [.init(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
        }
    }

    private func isServed(_ client: SecurePeer) -> Bool {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.receiveMessage().body == "x"
    }

    @Test(
        "may change: new handshakes see the new one, and connections that stand go on",
        arguments: TLSSide.Version.allCases)
    func changes(_ version: TLSSide.Version) throws {
        let gateway = try gateway([localhost, authority.issue(["other.example"])])
        let side = TLSSide.client(version, trusting: authority)
        let standing = gateway.connectSecurely(side)
        #expect(isServed(standing))
        let session = try #require(standing.session)
        let next = authority.issue()
        gateway.replaceCertificate(0, by: next.pem)
        #expect(gateway.connectSecurely(side).peerSerial == next.serial)
        #expect(isServed(standing))
        #expect(standing.peerSerial == localhost.serial)
        #expect(gateway.connectSecurely(side, resuming: session).isResumed)
        #expect(gateway.reports.contains { $0.contains("changed: new handshakes use it") })
    }

    @Test("that are broken leave the old one in use, and say why")
    func broken() throws {
        let gateway = try gateway([localhost])
        let other = authority.issue()
        for text in [
            "", "nothing", other.certificatePEM, other.keyPEM, other.certificatePEM + localhost.keyPEM,
            String(other.pem.prefix(300)), localhost.pem.replacingFirst("MII", by: "!!!"),
        ] {
            let before = gateway.reports.count
            gateway.replaceCertificate(0, by: text)
            #expect(gateway.reports.dropFirst(before).contains { $0.contains("the one in use stays") })
            let client = gateway.connectSecurely(.client(trusting: authority))
            #expect(client.peerSerial == localhost.serial)
            #expect(isServed(client))
        }
        gateway.replaceCertificate(0, by: other.pem)
        #expect(gateway.connectSecurely().peerSerial == other.serial)
    }

    @Test("that is missing at the start lets nothing start")
    func missing() {
        #expect(throws: (any Error).self) {
            try RunningGateway(upstreams: [1]) {
                $0.listeners.append(.init(address: "127.0.0.1", port: 0, isTLS: true))
                $0.tls.certificates = [.init(certificate: "/nowhere/a.pem", key: "/nowhere/a.pem")]
            }
        }
    }

    @Test("are not needed: one is made that nobody trusts")
    func ownCertificate() throws {
        let gateway = try RunningGateway(upstreams: [1]) {
            $0.listeners.append(.init(address: "127.0.0.1", port: 0, isTLS: true))
            $0.routes = [.init(action: .answer(status: 200, contentType: "text/plain", body: "x"))]
        }
        #expect(isServed(gateway.connectSecurely()))
        #expect(!gateway.connectSecurely(.client(trusting: authority)).isSecure)
        #expect(gateway.reports.contains { $0.contains("no certificate was given") })
    }
}

extension String {
    /// The text with the first `part` replaced.
    fileprivate func replacingFirst(_ part: String, by other: String) -> String {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(part) {
                return self[..<start] + other + self[start...].dropFirst(part.count)
            }
            start = index(after: start)
        }
        return self
    }
}
