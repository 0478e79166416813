// SPDX-License-Identifier: Apache-2.0

import Bytes
import COpenSSL
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import TLS

@Suite("Certificates that change") final class CertificateStoreTests {
    private let now = TestAuthority.now
    private let folder = TemporaryFolder()

    deinit { #expect(ERR_peek_error() == 0, "an error was left in OpenSSL's queue") }

    @Test("a change counts once it has settled, and a broken one leaves the old serving")
    func aChangeCountsOnceItHasSettledAndABrokenOneLeavesTheOldServing() throws {
        let authority = try TestAuthority()
        let first = try authority.issue(["a.example"])
        let second = try authority.issue(["b.example"])
        let certificate = folder.write(first.leaf.pem, to: "a.pem")
        let key = folder.write(first.key.pem, to: "a.key")
        let store = try CertificateStore(files: [.init(certificate: certificate, key: key)], now: now)
        let server = try ServerTLS(
            policy: .init(), certificates: #require(store.certificates), tickets: TicketKeys(now: 0))
        store.serve(server)
        #expect(store.tick(now: now) == [])
        // Half of a change: the certificate is there, its key is not.
        folder.write(second.leaf.pem, to: "a.pem")
        #expect(store.tick(now: now) == [], "it has not settled")
        #expect(
            store.tick(now: now) == [
                "certificate \(certificate) is not changed, the one in use stays: the key in \(key) does not belong to the "
                    + "certificate in \(certificate)"
            ])
        #expect(store.tick(now: now) == [], "it is said once")
        #expect(server.certificates.pairs[0].names == ["a.example"])
        folder.write(second.key.pem, to: "a.key")
        #expect(store.tick(now: now) == [])
        let until = Certificate.date(second.notAfter)
        #expect(
            store.tick(now: now) == [
                "certificate \(certificate) changed: new handshakes use it (names b.example, until \(until))"
            ])
        #expect(server.certificates.pairs[0].names == ["b.example"])
        #expect(store.tick(now: now) == [])
        unsafe unlink(key)
        _ = store.tick(now: now)
        #expect(
            store.tick(now: now) == [
                "certificate \(certificate) is not changed, the one in use stays: \(key) does not exist"
            ])
        #expect(
            store.reload(now: now) == [
                "certificate \(certificate) is not changed, the one in use stays: \(key) does not exist"
            ])
        folder.write(second.key.pem, to: "a.key")
        #expect(store.reload(now: now) == ["certificate \(certificate) was read again and is the same"])
        #expect(store.tick(now: now) == [], "a reload settles what changed")
    }

    @Test("the end of a certificate is told three times")
    func theEndOfACertificateIsToldThreeTimes() throws {
        let pair = try TestAuthority().issue(["a.example"], until: 86_400 * 20)
        let file = folder.write(pair.key.pem + pair.leaf.pem)
        let store = try CertificateStore(files: [.init(certificate: file, key: file)], now: now)
        let day = 86_400
        let date = Certificate.date(pair.notAfter)
        #expect(store.tick(now: now + 5 * day) == [])
        #expect(store.tick(now: now + 6 * day + 1) == ["certificate \(file) expires on \(date), in less than 14 days"])
        #expect(store.tick(now: now + 7 * day) == [])
        #expect(store.tick(now: now + 17 * day + 1) == ["certificate \(file) expires on \(date), in less than 3 days"])
        #expect(store.tick(now: now + 18 * day) == [])
        #expect(store.tick(now: now + 20 * day + 1) == ["certificate \(file) expired on \(date)"])
        #expect(store.tick(now: now + 21 * day) == [])
    }

    @Test("a staple from a file is checked, and its changes are followed")
    func aStapleFromAFileIsCheckedAndFollowed() throws {
        let authority = try TestAuthority()
        let pair = try authority.issue(["a.example"])
        let file = folder.write(pair.key.pem + pair.leaf.pem + authority.certificate.pem)
        let ocsp = try folder.write(authority.response(about: pair, until: -30), to: "a.ocsp")
        let store = try CertificateStore(files: [.init(certificate: file, key: file, ocsp: ocsp)], now: now)
        #expect(
            store.warnings == [
                "the OCSP response in \(ocsp) is not used: it was valid only until \(Certificate.date(now - 30))"
            ])
        #expect(store.pairs[0].staple.withLock { $0?.der } == nil)
        let fresh = try authority.response(about: pair)
        folder.write(fresh, to: "a.ocsp")
        _ = store.tick(now: now)
        #expect(store.tick(now: now) == ["the OCSP response for \(file) changed: new handshakes use it"])
        #expect(store.pairs[0].staple.withLock { $0?.der } == fresh)
    }
}
