// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Glibc
import XCTest

@testable import TLS

final class ResumptionTests: XCTestCase {
    private let blocks = Blocks()
    private let now = TestAuthority.now

    override func tearDown() { XCTAssertEqual(blocks.inUse, 0, "blocks were not given back") }

    private func isResumed(
        _ server: ServerTLS, _ client: ClientTLS, _ store: ResumptionStore, host: String = "a.example"
    ) throws -> Bool {
        let joined = try JoinedSessions(server, client, host: host, store: store, blocks: blocks)
        let ends = joined.shakeHands()
        XCTAssertEqual(ends.server, .done)
        XCTAssertEqual(ends.client, .done)
        XCTAssertNil(joined.client.verifyPeer(now: now))
        joined.settle()
        XCTAssertEqual(joined.server.isResumed, joined.client.isResumed)
        return joined.client.isResumed
    }

    private func client(_ version: Int32, tickets: Bool = true) throws -> ClientTLS {
        let client = try ClientTLS(policy: .init(verifies: false))
        unsafe gw_ctx_max_version(client.context.pointer, version)
        if !tickets { unsafe SSL_CTX_set_options(client.context.pointer, gw_op_no_ticket) }
        return client
    }

    func testTicketsLiveThroughARotationAndAChangeOfCertificatesAndThenEnd() throws {
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            let keys = TicketKeys(now: 0)
            let set = try XCTUnwrap(CertificateSet([.selfSigned(now: now)]))
            let server = try ServerTLS(policy: .init(), certificates: set, tickets: keys)
            let client = try client(version)
            let store = ResumptionStore()
            XCTAssertFalse(try isResumed(server, client, store))
            XCTAssertFalse(store.isEmpty)
            XCTAssertTrue(try isResumed(server, client, store))
            let hour = 3600
            XCTAssertFalse(keys.rotate(now: 8 * hour - 1))
            XCTAssertTrue(keys.rotate(now: 8 * hour))
            XCTAssertTrue(try isResumed(server, client, store), "a ticket of the key before is accepted")
            try server.replace(certificates: XCTUnwrap(CertificateSet([.selfSigned(now: now)])))
            XCTAssertTrue(try isResumed(server, client, store))
            XCTAssertTrue(keys.rotate(now: 16 * hour))
            XCTAssertTrue(keys.rotate(now: 24 * hour))
            XCTAssertTrue(
                try isResumed(server, client, store), "it was renewed by the resumption after the first rotation")
            XCTAssertTrue(keys.rotate(now: 100 * hour))
            XCTAssertFalse(try isResumed(server, client, store), "all older keys have outlived their time")
            // Another server with the same keys, as after a change of configuration.
            let next = try ServerTLS(policy: .init(), certificates: set, tickets: keys)
            XCTAssertTrue(try isResumed(next, client, store))
        }
    }

    func testAClientWithoutTicketsResumesFromTheCache() throws {
        let server = try ServerTLS(
            policy: .init(), certificates: XCTUnwrap(CertificateSet([.selfSigned(now: now)])),
            tickets: TicketKeys(now: 0))
        let store = ResumptionStore()
        let client = try client(TLS1_2_VERSION, tickets: false)
        XCTAssertFalse(try isResumed(server, client, store))
        XCTAssertTrue(try isResumed(server, client, store))
    }

    func testASessionIsOnlyForTheClientAndTheHostThatMadeIt() throws {
        let server = try ServerTLS(
            policy: .init(), certificates: XCTUnwrap(CertificateSet([.selfSigned(now: now)])),
            tickets: TicketKeys(now: 0))
        let store = ResumptionStore()
        let client = try client(TLS1_3_VERSION)
        XCTAssertFalse(try isResumed(server, client, store))
        XCTAssertFalse(try isResumed(server, self.client(TLS1_3_VERSION), store))
        XCTAssertFalse(try isResumed(server, client, store), "the store holds the other client's")
        XCTAssertFalse(try isResumed(server, client, store, host: "b.example"))
        XCTAssertTrue(try isResumed(server, client, store, host: "b.example"))
    }
}
