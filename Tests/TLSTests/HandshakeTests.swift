// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Glibc
import XCTest

@testable import TLS

final class HandshakeTests: XCTestCase {
    func testTheSelfSignedCertificateServesWhoDoesNotVerify() throws {
        let now = time(nil)
        let pair = try CertificatePair.selfSigned(now: now, hostName: "Box.example.org")
        XCTAssertEqual(pair.names, ["localhost", "box.example.org", "box", "127.0.0.1", "::1"])
        let server = try ServerTLS(
            policy: .init(), certificates: XCTUnwrap(CertificateSet([pair])), tickets: TicketKeys(now: 0))
        let blocks = Blocks()
        let joined = try JoinedSessions(
            server, ClientTLS(policy: .init(verifies: false)), host: "localhost", blocks: blocks)
        let ends = joined.shakeHands()
        XCTAssertEqual(ends.server, .done)
        XCTAssertEqual(ends.client, .done)
        XCTAssertEqual(joined.client.applicationProtocol, "http/1.1")
        XCTAssertEqual(joined.server.applicationProtocol, "http/1.1")
        XCTAssertNil(joined.client.verifyPeer(now: now))
        joined.close()
        XCTAssertEqual(blocks.inUse, 0)
        let doubter = try JoinedSessions(server, ClientTLS(policy: .init()), host: "localhost", blocks: blocks)
        let refused = doubter.shakeHands()
        XCTAssertEqual(refused.client.failure, .certificate(Int(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)))
        XCTAssertEqual(refused.client.sentence, "the certificate was refused: it is self-signed (CN=localhost)")
    }
}
