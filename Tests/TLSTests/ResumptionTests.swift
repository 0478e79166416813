// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Glibc
import Testing

@testable import TLS

@Suite("Resumption of sessions") final class ResumptionTests {
    private let blocks = Blocks()
    private let now = TestAuthority.now

    deinit { #expect(blocks.inUse == 0, "blocks were not given back") }

    private func isResumed(
        _ server: ServerTLS, _ client: ClientTLS, _ store: ResumptionStore, host: String = "a.example"
    ) throws -> Bool {
        let joined = try JoinedSessions(server, client, host: host, store: store, blocks: blocks)
        let ends = joined.shakeHands()
        #expect(ends.server == .done)
        #expect(ends.client == .done)
        #expect(joined.client.verifyPeer(now: now) == nil)
        joined.settle()
        #expect(joined.server.isResumed == joined.client.isResumed)
        return joined.client.isResumed
    }

    private func client(_ version: Int32, tickets: Bool = true) throws -> ClientTLS {
        let client = try ClientTLS(policy: .init(verifies: false))
        unsafe gw_ctx_max_version(client.context.pointer, version)
        if !tickets { unsafe SSL_CTX_set_options(client.context.pointer, gw_op_no_ticket) }
        return client
    }

    @Test("tickets live through a rotation and a change of certificates, and then end")
    func ticketsLiveThroughARotationAndAChangeOfCertificatesAndThenEnd() throws {
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            let keys = TicketKeys(now: 0)
            let set = try #require(CertificateSet([.selfSigned(now: now)]))
            let server = try ServerTLS(policy: .init(), certificates: set, tickets: keys)
            let client = try client(version)
            let store = ResumptionStore()
            #expect(try !isResumed(server, client, store))
            #expect(!store.isEmpty)
            #expect(try isResumed(server, client, store))
            let hour = 3600
            #expect(!keys.rotate(now: 8 * hour - 1))
            #expect(keys.rotate(now: 8 * hour))
            #expect(try isResumed(server, client, store), "a ticket of the key before is accepted")
            try server.replace(certificates: #require(CertificateSet([.selfSigned(now: now)])))
            #expect(try isResumed(server, client, store))
            #expect(keys.rotate(now: 16 * hour))
            #expect(keys.rotate(now: 24 * hour))
            #expect(try isResumed(server, client, store), "it was renewed by the resumption after the first rotation")
            #expect(keys.rotate(now: 100 * hour))
            #expect(try !isResumed(server, client, store), "all older keys have outlived their time")
            // Another server with the same keys, as after a change of configuration.
            let next = try ServerTLS(policy: .init(), certificates: set, tickets: keys)
            #expect(try isResumed(next, client, store))
        }
    }

    @Test("a client without tickets resumes from the cache")
    func aClientWithoutTicketsResumesFromTheCache() throws {
        let server = try ServerTLS(
            policy: .init(), certificates: #require(CertificateSet([.selfSigned(now: now)])),
            tickets: TicketKeys(now: 0))
        let store = ResumptionStore()
        let client = try client(TLS1_2_VERSION, tickets: false)
        #expect(try !isResumed(server, client, store))
        #expect(try isResumed(server, client, store))
    }

    @Test("a session is only for the client and the host that made it")
    func aSessionIsOnlyForTheClientAndTheHostThatMadeIt() throws {
        let server = try ServerTLS(
            policy: .init(), certificates: #require(CertificateSet([.selfSigned(now: now)])),
            tickets: TicketKeys(now: 0))
        let store = ResumptionStore()
        let client = try client(TLS1_3_VERSION)
        #expect(try !isResumed(server, client, store))
        #expect(try !isResumed(server, self.client(TLS1_3_VERSION), store))
        #expect(try !isResumed(server, client, store), "the store holds the other client's")
        #expect(try !isResumed(server, client, store, host: "b.example"))
        #expect(try isResumed(server, client, store, host: "b.example"))
    }
}
