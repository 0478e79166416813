// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Engine
import Glibc
import TestSupport
import Testing

@testable import TLS

@Suite("TLS handshakes") final class HandshakeTests {
    private let blocks = Blocks()
    private let now = TestAuthority.now

    deinit { #expect(blocks.inUse == 0, "blocks were not given back") }

    private func server(_ pairs: [CertificatePair], _ policy: ServerTLS.Policy = .init()) throws -> ServerTLS {
        try ServerTLS(policy: policy, certificates: #require(CertificateSet(pairs)), tickets: TicketKeys(now: 0))
    }

    /// The client's view of the certificate that it was shown.
    private func shown(_ joined: JoinedSessions) -> OpaquePointer? {
        unsafe SSL_get0_peer_certificate(joined.client.ssl)
    }

    private func shakeHands(
        _ server: ServerTLS, _ client: ClientTLS, host: String = "a.example"
    ) throws -> JoinedSessions.Ends {
        try JoinedSessions(server, client, host: host, blocks: blocks).shakeHands()
    }

    @Test("the self-signed certificate serves those who do not verify")
    func theSelfSignedCertificateServesWhoDoesNotVerify() throws {
        let pair = try CertificatePair.selfSigned(now: now, hostName: "Box.example.org")
        #expect(pair.names == ["localhost", "box.example.org", "box", "127.0.0.1", "::1"])
        let server = try server([pair])
        let joined = try JoinedSessions(
            server, ClientTLS(policy: .init(verifies: false)), host: "localhost", blocks: blocks)
        let ends = joined.shakeHands()
        #expect(ends.server == .done)
        #expect(ends.client == .done)
        #expect(joined.client.protocolName.description == "TLSv1.3")
        #expect(joined.client.verifyPeer(now: now) == nil)
        let refused = try shakeHands(server, ClientTLS(policy: .init()), host: "localhost")
        #expect(refused.client.failure == .certificate(Int(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)))
        #expect(refused.client.sentence == "the certificate was refused: it is self-signed (CN=localhost)")
    }

    @Test("each name gets its certificate, and each client the key that it can verify")
    func eachNameGetsItsCertificateAndEachClientTheKeyItCanVerify() throws {
        let authority = try TestAuthority()
        let folder = TemporaryFolder()
        let first = try authority.issue(["a.example"])
        let rsa = try authority.issue(["a.example"], key: TestAuthority.rsaKey)
        let other = try authority.issue(["b.example", "*.b.example", "192.0.2.1"])
        let server = try server([first, rsa, other])
        let trusted = try authority.trusted(folder)
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            for (host, algorithms, pair) in [
                ("a.example", "ECDSA+SHA256:RSA-PSS+SHA256", first),
                ("A.EXAMPLE.", "ECDSA+SHA256:RSA-PSS+SHA256", first),
                ("b.example", "ECDSA+SHA256", other), ("x.b.example", "ECDSA+SHA256", other),
            ] {
                let client = try ClientTLS(policy: .init(authorities: trusted))
                unsafe gw_ctx_max_version(client.context.pointer, version)
                unsafe #expect(gw_ctx_sigalgs(client.context.pointer, algorithms) == 1)
                let joined = try JoinedSessions(server, client, host: host, blocks: blocks)
                let ends = joined.shakeHands()
                #expect(ends.client == .done, "\(host)")
                #expect(ends.server == .done, "\(host)")
                unsafe #expect(X509_cmp(shown(joined), pair.leaf.pointer) == 0, "\(host)")
            }
            // The issuer's signature is ECDSA too, so a client that knows only RSA does not verify here.
            let client = try ClientTLS(policy: .init(verifies: false))
            unsafe gw_ctx_max_version(client.context.pointer, version)
            unsafe #expect(gw_ctx_sigalgs(client.context.pointer, "RSA-PSS+SHA256:RSA+SHA256") == 1)
            let joined = try JoinedSessions(server, client, blocks: blocks)
            #expect(joined.shakeHands().client == .done)
            unsafe #expect(X509_cmp(shown(joined), rsa.leaf.pointer) == 0)
        }
        // Without a name, or with an unknown one, the first.
        for host in ["127.0.0.1", "unknown.example"] {
            let joined = try JoinedSessions(
                server, ClientTLS(policy: .init(verifies: false)), host: host, blocks: blocks)
            #expect(joined.shakeHands().client == .done)
            unsafe #expect(X509_cmp(shown(joined), first.leaf.pointer) == 0)
        }
    }

    @Test("a change of certificates is for new handshakes only")
    func aChangeOfCertificatesIsForNewHandshakesOnly() throws {
        let authority = try TestAuthority()
        let client = try ClientTLS(policy: .init(authorities: authority.trusted(TemporaryFolder())))
        let old = try authority.issue(["a.example"])
        let new = try authority.issue(["a.example"])
        let server = try server([old])
        let before = try JoinedSessions(server, client, blocks: blocks)
        #expect(before.shakeHands().client == .done)
        try server.replace(certificates: #require(CertificateSet([new])))
        let after = try JoinedSessions(server, client, blocks: blocks)
        #expect(after.shakeHands().client == .done)
        unsafe #expect(X509_cmp(shown(before), old.leaf.pointer) == 0)
        unsafe #expect(X509_cmp(shown(after), new.leaf.pointer) == 0)
        var bytes: [UInt8] = [1, 2, 3]
        #expect(before.client.take(bytes.span) == .bytes(3))
        #expect(before.client.flush() == .sent)
        bytes = before.receive(before.server)
        #expect(bytes == [1, 2, 3])
    }

    @Test("a client tells what is wrong with a certificate")
    func aClientTellsWhatIsWrongWithACertificate() throws {
        let authority = try TestAuthority()
        let folder = TemporaryFolder()
        let good = try authority.issue(["a.example"])
        let revoked = try authority.issue(["a.example"])
        let lists = try authority.revocationList(of: [revoked])
        let client = try ClientTLS(policy: .init(authorities: authority.trusted(folder, lists: lists)))
        let stranger = try TestAuthority("Other CA").issue(["a.example"])
        let yesterday = Certificate.date(now - 3600)
        let tomorrow = Certificate.date(now + 86_400)
        let expired = try authority.issue(["a.example"], from: -86_400, until: -3600)
        for (pair, code, word, sentence) in try [
            (expired, X509_V_ERR_CERT_HAS_EXPIRED, "certificate-expired", "it expired on \(yesterday)"),
            (
                authority.issue(["a.example"], from: 86_400), X509_V_ERR_CERT_NOT_YET_VALID,
                "certificate-not-yet-valid",
                "it is valid only from \(tomorrow) on"
            ),
            (
                authority.issue(["b.example", "c.example"]), X509_V_ERR_HOSTNAME_MISMATCH, "certificate-wrong-name",
                "it is for b.example, c.example, not for a.example"
            ),
            (
                stranger, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate-unknown-issuer",
                "its issuer is not known here (CN=Other CA), or an intermediate certificate was not sent"
            ),
            (revoked, X509_V_ERR_CERT_REVOKED, "certificate-revoked", "it was revoked by its issuer (CN=Test CA)"),
            (
                authority.issue(["a.example"], usage: "clientAuth"), X509_V_ERR_INVALID_PURPOSE,
                "certificate-wrong-purpose",
                "it may not be used for this purpose"
            ),
        ] {
            let ends = try shakeHands(server([pair]), client)
            #expect(ends.client.failure == .certificate(Int(code)), "\(sentence)")
            #expect(ends.client.sentence == "the certificate was refused: " + sentence)
            guard case .failed(let failure) = ends.client else { Issue.record("\(sentence)"); return }
            #expect(failure.word.description == word)
            guard case .alert = ends.server.failure else { Issue.record("\(ends.server)"); return }
        }
        #expect(try shakeHands(server([good]), client).client == .done)
        let address = try authority.issue(["192.0.2.1"])
        #expect(try shakeHands(server([address]), client, host: "192.0.2.1").client == .done)
        #expect(
            try shakeHands(server([address]), client, host: "192.0.2.2").client.sentence
                == "the certificate was refused: it is for 192.0.2.1, not for 192.0.2.2")
    }

    @Test("protocols are agreed on, or the handshake fails")
    func protocolsAreAgreedOnOrTheHandshakeFails() throws {
        let pair = try CertificatePair.selfSigned(now: now)
        let server = try server([pair], .init(protocols: ["h2", "http/1.1"]))
        for (offered, agreed) in [(["http/1.1", "h2"], "h2"), (["ftp", "http/1.1"], "http/1.1"), ([], "")] {
            let joined = try JoinedSessions(
                server, ClientTLS(policy: .init(protocols: offered, verifies: false)), blocks: blocks)
            #expect(joined.shakeHands().client == .done)
            #expect(joined.server.applicationProtocol == agreed)
        }
        let ends = try shakeHands(server, ClientTLS(policy: .init(protocols: ["ftp"], verifies: false)))
        #expect(ends.server.failure == .noProtocol)
        #expect(ends.client.failure == .alert(Int(SSL_AD_NO_APPLICATION_PROTOCOL)))
    }

    @Test("old versions and weak suites are refused")
    func oldVersionsAndWeakSuitesAreRefused() throws {
        let pair = try CertificatePair.selfSigned(now: now)
        let old = try ClientTLS(policy: .init(verifies: false))
        unsafe SSL_CTX_set_security_level(old.context.pointer, 0)
        unsafe gw_ctx_min_version(old.context.pointer, TLS1_VERSION)
        unsafe gw_ctx_max_version(old.context.pointer, TLS1_1_VERSION)
        unsafe SSL_CTX_set_cipher_list(old.context.pointer, "ALL:@SECLEVEL=0")
        #expect(try shakeHands(server([pair]), old).server.failure == .version)
        let twelve = try ClientTLS(policy: .init(verifies: false))
        unsafe gw_ctx_max_version(twelve.context.pointer, TLS1_2_VERSION)
        #expect(try shakeHands(server([pair], .init(minimumVersion: .tls13)), twelve).server.failure == .version)
        unsafe #expect(SSL_CTX_set_cipher_list(twelve.context.pointer, "ECDHE-ECDSA-AES128-SHA256:AES128-SHA") == 1)
        #expect(try shakeHands(server([pair]), twelve).server.failure == .noSharedParameters)
    }

    @Test("a staple is sent to those who ask for it")
    func aStapleIsSentToWhoAsksForIt() throws {
        let authority = try TestAuthority()
        let pair = try authority.issue(["a.example"], chain: [authority.certificate])
        let server = try server([pair])
        for der in [nil, try authority.response(about: pair)] {
            if let der { pair.attach(try OCSPResponse(der: der, for: pair, source: "here", now: now)) }
            for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
                let client = try ClientTLS(policy: .init(verifies: false))
                unsafe gw_ctx_max_version(client.context.pointer, version)
                let joined = try JoinedSessions(server, client, blocks: blocks)
                unsafe gw_ssl_request_status(joined.client.ssl)
                #expect(joined.shakeHands().client == .done)
                var bytes: UnsafeMutablePointer<UInt8>?
                let count = unsafe gw_ssl_status_response(joined.client.ssl, &bytes)
                unsafe #expect((count < 0 ? nil : Array(UnsafeBufferPointer(start: bytes, count: count))) == der)
            }
        }
    }
}
