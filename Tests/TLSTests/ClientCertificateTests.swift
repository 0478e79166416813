// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Engine
import Foundation
import Glibc
import TestSupport
import Testing

@testable import TLS

@Suite("Certificates of clients") final class ClientCertificateTests {
    private let blocks = Blocks()
    private let now = TestAuthority.now
    private let folder = TemporaryFolder()
    private let tickets = TicketKeys(now: 0)

    deinit { #expect(blocks.inUse == 0, "blocks were not given back") }

    private func server(_ clients: ServerTLS.ClientCertificates) throws -> ServerTLS {
        try ServerTLS(
            policy: .init(clientCertificates: clients),
            certificates: #require(CertificateSet([.selfSigned(now: now)])),
            tickets: tickets)
    }

    private func client(_ certificate: CertificatePair?, version: Int32 = TLS1_3_VERSION) throws -> ClientTLS {
        let client = try ClientTLS(policy: .init(certificate: certificate, verifies: false))
        unsafe gw_ctx_max_version(client.context.pointer, version)
        return client
    }

    @Test("only a good certificate is let in")
    func onlyAGoodCertificateIsLetIn() throws {
        let authority = try TestAuthority()
        let good = try authority.issue([], subject: "alice, \"the\" <admin>\u{e9}\n", usage: "clientAuth")
        let revoked = try authority.issue([], subject: "mallory", usage: "clientAuth")
        let expired = try authority.issue([], subject: "bob", from: -7200, until: -3600, usage: "clientAuth")
        let foreign = try TestAuthority("Foreign CA").issue([], subject: "eve", usage: "clientAuth")
        let wrongUse = try authority.issue([], subject: "server", usage: "serverAuth")
        let trusted = try authority.trusted(folder, lists: authority.revocationList(of: [revoked]))
        #expect(trusted.checksRevocation)
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            for mode in [ServerTLS.ClientCertificates.required(trusted), .optional(trusted)] {
                let server = try server(mode)
                for (pair, code) in [
                    (revoked, X509_V_ERR_CERT_REVOKED), (expired, X509_V_ERR_CERT_HAS_EXPIRED),
                    (foreign, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY), (wrongUse, X509_V_ERR_INVALID_PURPOSE),
                ] {
                    let ends = try JoinedSessions(server, client(pair, version: version), blocks: blocks).shakeHands()
                    #expect(ends.server.failure == .certificate(Int(code)), "\(pair.leaf.subject)")
                }
                let joined = try JoinedSessions(server, client(good, version: version), blocks: blocks)
                #expect(joined.shakeHands().server == .done)
                #expect(joined.server.verifyPeer(now: now) == nil)
                #expect(
                    String(decoding: joined.server.peerName, as: UTF8.self) == #"CN=alice\, \"the\" \<admin\>\C3\A9\0A"#
                )
                #expect(
                    joined.server.verifyPeer(now: now + 86_400 * 60)?.kind
                        == .certificate(Int(X509_V_ERR_CERT_HAS_EXPIRED)))
                let none = try JoinedSessions(server, client(nil, version: version), blocks: blocks)
                let ends = none.shakeHands()
                if case .required = mode {
                    #expect(ends.server.failure == .noCertificate)
                } else {
                    #expect(ends.server == .done)
                    #expect(none.server.verifyPeer(now: now) == nil)
                    #expect(none.server.peerName == [])
                }
            }
        }
    }

    @Test("a resumed session keeps the client's identity and its end")
    func aResumedSessionKeepsTheClientsIdentityAndItsEnd() throws {
        let authority = try TestAuthority()
        let good = try authority.issue([], subject: "alice", usage: "clientAuth")
        let server = try server(.required(authority.trusted(folder)))
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            let client = try client(good, version: version)
            let store = ResumptionStore()
            for turn in 0..<2 {
                let joined = try JoinedSessions(server, client, store: store, blocks: blocks)
                #expect(joined.shakeHands().server == .done)
                joined.settle()
                #expect(joined.server.isResumed == (turn == 1))
                #expect(joined.server.verifyPeer(now: now) == nil)
                #expect(String(decoding: joined.server.peerName, as: UTF8.self) == "CN=alice")
                guard let failure = joined.server.verifyPeer(now: now + 86_400 * 60) else {
                    Issue.record("it expired"); return
                }
                #expect(failure.word.description == "certificate-expired")
            }
        }
    }

    @Test("a session made under another policy is not resumed")
    func aSessionMadeUnderAnotherPolicyIsNotResumed() throws {
        let authority = try TestAuthority()
        let trusted = try authority.trusted(folder)
        let other = try TestAuthority("Other CA").trusted(folder)
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            for mode in [ServerTLS.ClientCertificates.notAsked, .optional(trusted), .required(other)] {
                // The ticket keys are the same, so nothing but the policy stands in the way.
                let good = try authority.issue([], subject: "alice", usage: "clientAuth")
                let client = try client(good, version: version)
                let store = ResumptionStore()
                let first = try JoinedSessions(server(mode), client, store: store, blocks: blocks)
                _ = first.shakeHands()
                first.settle()
                let second = try JoinedSessions(server(.required(trusted)), client, store: store, blocks: blocks)
                #expect(second.shakeHands().server == .done)
                #expect(!second.server.isResumed)
                #expect(second.server.verifyPeer(now: now) == nil)
                #expect(String(decoding: second.server.peerName, as: UTF8.self) == "CN=alice")
            }
            let nobody = try client(nil, version: version)
            let store = ResumptionStore()
            let open = try JoinedSessions(server(.notAsked), nobody, store: store, blocks: blocks)
            #expect(open.shakeHands().server == .done)
            open.settle()
            #expect(!store.isEmpty)
            let closed = try JoinedSessions(server(.required(trusted)), nobody, store: store, blocks: blocks)
            #expect(closed.shakeHands().server.failure == .noCertificate)
        }
    }

    @Test("an unusable file of authorities is an error")
    func anUnusableFileOfAuthoritiesIsAnError() throws {
        let authority = try TestAuthority()
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        let list = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"
        for (text, ending) in [
            ("", "there is no certificate in PATH"), ("nothing", "there is no certificate in PATH"),
            (garbage, "PATH is damaged: certificate 1 in it cannot be decoded"),
            (authority.certificate.pem + garbage, "PATH is damaged: certificate 2 in it cannot be decoded"),
            (authority.certificate.pem + list, "PATH is damaged: revocation list 1 in it cannot be decoded"),
            (
                authority.certificate.pem + "-----BEGIN CERTIFICATE-----\n",
                "PATH is damaged: a PEM block in it cannot be decoded"
            ),
        ] {
            let path = folder.write(text)
            let error = #expect(throws: TLSFileProblem.self) { try TrustedAuthorities(path: path) }
            #expect(error?.sentence == ending.replacing("PATH", with: path))
        }
        let error = #expect(throws: TLSFileProblem.self) { try TrustedAuthorities(path: "/nonexistent/ca.pem") }
        #expect(error?.sentence == "/nonexistent/ca.pem does not exist")
        #expect(ERR_peek_error() == 0)
    }
}
