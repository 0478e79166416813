// SPDX-License-Identifier: Apache-2.0
// What goes through a connection once it is secure, and how it ends.

import Bytes
import COpenSSL
import Engine
import Glibc
import Testing

@testable import TLS

@Suite("Data over TLS") final class DataTests {
    private let blocks = Blocks()

    deinit { #expect(blocks.inUse == 0, "blocks were not given back") }

    private func joined(version: Int32 = TLS1_3_VERSION) throws -> JoinedSessions {
        let pair = try CertificatePair.selfSigned(now: TestAuthority.now)
        let server = try ServerTLS(
            policy: .init(), certificates: #require(CertificateSet([pair])), tickets: TicketKeys(now: 0))
        let client = try ClientTLS(policy: .init(verifies: false))
        unsafe gw_ctx_max_version(client.context.pointer, version)
        let joined = try JoinedSessions(server, client, blocks: blocks)
        let ends = joined.shakeHands()
        #expect(ends.server == .done)
        #expect(ends.client == .done)
        joined.settle()
        return joined
    }

    private func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) } }

    /// Sends all of `bytes` in pieces of `piece`, while the other end receives in pieces of `limit`.
    private func carry(
        _ bytes: [UInt8], from sender: TLSSession, to receiver: TLSSession, piece: Int, limit: Int,
        _ joined: JoinedSessions
    ) -> [UInt8] {
        var received: [UInt8] = []
        var offset = 0
        for _ in 0..<10_000 where received.count < bytes.count {
            if offset < bytes.count, sender.flush() == .sent {
                let end = min(bytes.count, offset + piece)
                guard case .bytes(let count) = sender.take(bytes.span.extracting(offset..<end)) else { break }
                offset += count
                _ = sender.flush()
            } else {
                _ = sender.flush()
            }
            received += joined.receive(receiver, limit: limit)
        }
        return received
    }

    @Test("bytes arrive as they were sent, whatever their pieces")
    func bytesArriveAsTheyWereSentWhateverTheirPieces() throws {
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            let joined = try joined(version: version)
            for count in [1, 2, 255, 4095, 16_383, 16_384, 16_385, 40_000, 65_537, 200_000] {
                let bytes = pattern(count)
                for (piece, limit) in [
                    (Int.max / 2, Int.max), (16_384, 1000), (7919, 16_384), (max(1, count / 13), 77_777),
                ] {
                    #expect(
                        carry(bytes, from: joined.client, to: joined.server, piece: piece, limit: limit, joined)
                            == bytes, "\(count) bytes in pieces of \(piece) to the server")
                    #expect(
                        carry(bytes, from: joined.server, to: joined.client, piece: piece, limit: limit, joined)
                            == bytes, "\(count) bytes in pieces of \(piece) to the client")
                }
            }
            #expect(joined.client.take([UInt8]().span) == .bytes(0))
            #expect(joined.server.isQuiet())
            #expect(joined.client.isQuiet())
        }
    }

    @Test("a full socket blocks and goes on where it stopped")
    func aFullSocketBlocksAndGoesOnWhereItStopped() throws {
        let joined = try joined()
        var size: Int32 = 4096
        unsafe setsockopt(joined.serverSocket, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        let bytes = pattern(1 << 20)
        guard case .bytes(let taken) = joined.server.take(bytes.span) else { Issue.record("it is not broken"); return }
        #expect(taken < bytes.count)
        #expect(taken > 0)
        #expect(joined.server.flush() == .blocked)
        #expect(joined.server.take(bytes.span) == .bytes(0), "nothing is taken before the kernel has the rest")
        var received = joined.receive(joined.client)
        let rest = Array(bytes[taken...])
        for _ in 0..<100 where received.count < taken {
            _ = joined.server.flush()
            received += joined.receive(joined.client)
        }
        received += carry(rest, from: joined.server, to: joined.client, piece: 50_000, limit: .max, joined)
        #expect(received == bytes)
    }

    @Test("a farewell is told from a cut")
    func aFarewellIsToldFromACut() throws {
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            let ended = try joined(version: version)
            ended.server.finishSending()
            #expect(ended.client.receive(into: Block(capacity: 100), limit: 100) == .closed)
            #expect(ended.client.receive(into: Block(capacity: 100), limit: 100) == .closed)
            #expect(!ended.client.isQuiet())
            let cut = try joined(version: version)
            _ = shutdown(cut.serverSocket, Int32(SHUT_WR))
            #expect(cut.client.receive(into: Block(capacity: 100), limit: 100) == .cut)
            #expect(!cut.client.isQuiet())
            let abandoned = try joined(version: version)
            abandoned.server.abandon()
            abandoned.server.close()
            _ = shutdown(abandoned.serverSocket, Int32(SHUT_WR))
            #expect(abandoned.client.receive(into: Block(capacity: 100), limit: 100) == .cut)
            #expect(ERR_peek_error() == 0)
        }
    }

    @Test("garbage in an open connection breaks it")
    func garbageInAnOpenConnectionBreaksIt() throws {
        let joined = try joined()
        let garbage = [UInt8](repeating: 0x17, count: 500)
        unsafe #expect(write(joined.clientSocket, garbage, garbage.count) == garbage.count)
        #expect(joined.server.receive(into: Block(capacity: 100), limit: 100) == .failed(EPROTO))
        #expect(joined.server.take(garbage.span) == .failed(EPROTO))
        #expect(ERR_peek_error() == 0)
    }

    @Test("renegotiation is refused")
    func renegotiationIsRefused() throws {
        let joined = try joined(version: TLS1_2_VERSION)
        unsafe #expect(SSL_renegotiate(joined.client.ssl) == 0, "our client does not ask for it either")
        ERR_clear_error()
        unsafe SSL_clear_options(joined.client.ssl, gw_op_no_renegotiation)
        unsafe #expect(SSL_renegotiate(joined.client.ssl) == 1)
        #expect(joined.client.handshake() == .wantsRead)
        _ = joined.receive(joined.server)
        #expect(joined.client.handshake().failure == .malformed(Int(SSL_R_NO_RENEGOTIATION)))
    }
}
