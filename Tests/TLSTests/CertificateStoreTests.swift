// SPDX-License-Identifier: Apache-2.0

import Bytes
import COpenSSL
import Glibc
import Synchronization
import XCTest

@testable import TLS

final class CertificateStoreTests: XCTestCase {
    private let now = TestAuthority.now
    private var folder: Folder?

    override func setUpWithError() throws { folder = try Folder() }
    override func tearDown() {
        folder = nil
        XCTAssertEqual(ERR_peek_error(), 0, "an error was left in OpenSSL's queue")
    }

    func testAChangeCountsOnceItHasSettledAndABrokenOneLeavesTheOldServing() throws {
        let folder = try XCTUnwrap(folder)
        let authority = try TestAuthority()
        let first = try authority.issue(["a.example"])
        let second = try authority.issue(["b.example"])
        let certificate = try folder.write(first.leaf.pem, to: "a.pem")
        let key = try folder.write(first.key.pem, to: "a.key")
        let store = try CertificateStore(files: [.init(certificate: certificate, key: key)], now: now)
        let server = try ServerTLS(
            policy: .init(), certificates: XCTUnwrap(store.certificates), tickets: TicketKeys(now: 0))
        store.serve(server)
        XCTAssertEqual(store.tick(now: now), [])
        // Half of a change: the certificate is there, its key is not.
        try folder.write(second.leaf.pem, to: "a.pem")
        XCTAssertEqual(store.tick(now: now), [], "it has not settled")
        XCTAssertEqual(
            store.tick(now: now),
            [
                "certificate \(certificate) is not changed, the one in use stays: the key in \(key) does not belong to the "
                    + "certificate in \(certificate)"
            ])
        XCTAssertEqual(store.tick(now: now), [], "it is said once")
        XCTAssertEqual(server.certificates.pairs[0].names, ["a.example"])
        try folder.write(second.key.pem, to: "a.key")
        XCTAssertEqual(store.tick(now: now), [])
        let until = Certificate.date(second.notAfter)
        XCTAssertEqual(
            store.tick(now: now),
            ["certificate \(certificate) changed: new handshakes use it (names b.example, until \(until))"])
        XCTAssertEqual(server.certificates.pairs[0].names, ["b.example"])
        XCTAssertEqual(store.tick(now: now), [])
        unsafe unlink(key)
        _ = store.tick(now: now)
        XCTAssertEqual(
            store.tick(now: now),
            ["certificate \(certificate) is not changed, the one in use stays: \(key) does not exist"])
        XCTAssertEqual(
            store.reload(now: now),
            ["certificate \(certificate) is not changed, the one in use stays: \(key) does not exist"])
        try folder.write(second.key.pem, to: "a.key")
        XCTAssertEqual(store.reload(now: now), ["certificate \(certificate) was read again and is the same"])
        XCTAssertEqual(store.tick(now: now), [], "a reload settles what changed")
    }

    func testTheEndOfACertificateIsToldThreeTimes() throws {
        let pair = try TestAuthority().issue(["a.example"], until: 86_400 * 20)
        let file = try XCTUnwrap(folder).write(pair.key.pem + pair.leaf.pem)
        let store = try CertificateStore(files: [.init(certificate: file, key: file)], now: now)
        let day = 86_400
        let date = Certificate.date(pair.notAfter)
        XCTAssertEqual(store.tick(now: now + 5 * day), [])
        XCTAssertEqual(
            store.tick(now: now + 6 * day + 1), ["certificate \(file) expires on \(date), in less than 14 days"])
        XCTAssertEqual(store.tick(now: now + 7 * day), [])
        XCTAssertEqual(
            store.tick(now: now + 17 * day + 1), ["certificate \(file) expires on \(date), in less than 3 days"])
        XCTAssertEqual(store.tick(now: now + 18 * day), [])
        XCTAssertEqual(store.tick(now: now + 20 * day + 1), ["certificate \(file) expired on \(date)"])
        XCTAssertEqual(store.tick(now: now + 21 * day), [])
    }

    func testAStapleFromAFileIsCheckedAndFollowed() throws {
        let folder = try XCTUnwrap(folder)
        let authority = try TestAuthority()
        let pair = try authority.issue(["a.example"])
        let file = try folder.write(pair.key.pem + pair.leaf.pem + authority.certificate.pem)
        let ocsp = try folder.write(authority.response(about: pair, until: -30), to: "a.ocsp")
        let store = try CertificateStore(files: [.init(certificate: file, key: file, ocsp: ocsp)], now: now)
        XCTAssertEqual(
            store.warnings,
            ["the OCSP response in \(ocsp) is not used: it was valid only until \(Certificate.date(now - 30))"])
        XCTAssertNil(store.pairs[0].staple.withLock { $0?.der })
        let fresh = try authority.response(about: pair)
        try folder.write(fresh, to: "a.ocsp")
        _ = store.tick(now: now)
        XCTAssertEqual(store.tick(now: now), ["the OCSP response for \(file) changed: new handshakes use it"])
        XCTAssertEqual(store.pairs[0].staple.withLock { $0?.der }, fresh)
    }
}
