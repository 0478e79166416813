// SPDX-License-Identifier: Apache-2.0
// Peers that are not TLS, or not whole.

import Bytes
import COpenSSL
import Engine
import Glibc
import Testing

@testable import TLS

@Suite("Peers that are not TLS, or not whole") final class BadPeerTests {
    private let blocks = Blocks()

    deinit { #expect(blocks.inUse == 0, "blocks were not given back") }

    private func makeServer() throws -> ServerTLS {
        let pair = try CertificatePair.selfSigned(now: TestAuthority.now)
        return try ServerTLS(
            policy: .init(), certificates: #require(CertificateSet([pair])), tickets: TicketKeys(now: 0))
    }

    /// What a server makes of `bytes`, after which the peer sends nothing more.
    private func outcome(_ server: ServerTLS, _ bytes: [UInt8], ends: Bool = true) throws -> TLSSession.Handshake {
        let (near, far) = try socketPair()
        defer {
            close(near)
            close(far)
        }
        let session = try #require(server.makeSession(fd: near, smallBlocks: blocks.small, largeBlocks: blocks.large))
        defer { session.close() }
        unsafe #expect(write(far, bytes, bytes.count) == bytes.count)
        if ends { _ = shutdown(far, Int32(SHUT_WR)) }
        var result = session.handshake()
        // A short read tells that the socket is empty, so the end behind it is found by the next step.
        if ends, result == .wantsRead { result = session.handshake() }
        #expect(ERR_peek_error() == 0, "an error was left in OpenSSL's queue")
        return result
    }

    /// The first flight of a client.
    private func clientHello() throws -> [UInt8] {
        let (near, far) = try socketPair()
        defer {
            close(near)
            close(far)
        }
        let client = try ClientTLS(policy: .init(verifies: false))
        let session = try #require(
            client.makeSession(fd: near, smallBlocks: blocks.small, largeBlocks: blocks.large, host: "a.example"))
        #expect(session.handshake() == .wantsRead)
        session.close()
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(far, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }

    @Test("plain HTTP is recognised")
    func plainHTTPIsRecognised() throws {
        let server = try makeServer()
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.0\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\n\r\n",
        ] {
            #expect(try outcome(server, Array(text.utf8)).failure == .plainHTTP, "\(text)")
        }
    }

    @Test("every truncation of a client hello fails or waits")
    func everyTruncationOfAClientHelloFailsOrWaits() throws {
        let server = try makeServer()
        let hello = try clientHello()
        #expect(hello.count > 100)
        for length in 0..<hello.count {
            let part = Array(hello.prefix(length))
            #expect(try outcome(server, part).failure == .closed, "\(length) bytes")
            #expect(try outcome(server, part, ends: false) == .wantsRead, "\(length) bytes")
        }
        #expect(try outcome(server, hello, ends: false) == .wantsRead)
    }

    @Test("a client hello in pieces is as good as a whole one")
    func aClientHelloInPiecesIsTheSame() throws {
        let server = try makeServer()
        let hello = try clientHello()
        for piece in [1, 2, 3, 5, 6, 77] {
            let (near, far) = try socketPair()
            defer {
                close(near)
                close(far)
            }
            let session = try #require(
                server.makeSession(fd: near, smallBlocks: blocks.small, largeBlocks: blocks.large))
            for start in stride(from: 0, to: hello.count, by: piece) {
                let part = Array(hello[start..<min(hello.count, start + piece)])
                unsafe #expect(write(far, part, part.count) == part.count)
                #expect(session.handshake() == .wantsRead)
            }
            var answer = [UInt8](repeating: 0, count: 8192)
            unsafe #expect(read(far, &answer, answer.count) > 100)
            #expect(answer[0] == 22, "a ServerHello")
            session.close()
        }
    }

    @Test("random bytes and damaged hellos fail")
    func randomBytesAndDamagedHellosFail() throws {
        let server = try makeServer()
        let hello = try clientHello()
        var generator = SystemRandomNumberGenerator()
        for round in 0..<600 {
            var bytes = hello
            if round % 3 == 0 {
                bytes = (0..<Int.random(in: 1...600, using: &generator)).map { _ in
                    .random(in: 0...255, using: &generator)
                }
            } else {
                for _ in 0..<Int.random(in: 1...8, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
                }
            }
            switch try outcome(server, bytes) {
            case .failed, .wantsRead: break
            case .done, .blocked: Issue.record("\(bytes)")
            }
        }
        // A record that claims more than it may, one without content, a change of cipher out of turn, an alert.
        for bytes: [UInt8] in [
            [22, 3, 1, 0xFF, 0xFF, 1], [22, 3, 1, 0, 0], [20, 3, 3, 0, 1, 1], [21, 3, 3, 0, 2, 2, 40],
            [22, 3, 1, 0, 4, 1, 0xFF, 0xFF, 0xFF], [0x80, 0x2E, 1, 0, 2],
        ] {
            guard case .failed = try outcome(server, bytes) else { Issue.record("\(bytes)"); continue }
        }
    }

    @Test("a TLS client hears that the other side does not speak TLS")
    func clientOfPlainServer() throws {
        let (near, far) = try socketPair()
        defer {
            close(near)
            close(far)
        }
        let session = try #require(
            ClientTLS(policy: .init(verifies: false)).makeSession(
                fd: near, smallBlocks: blocks.small, largeBlocks: blocks.large, host: "a.example"))
        #expect(session.handshake() == .wantsRead)
        let text = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        unsafe #expect(write(far, text, text.count) == text.count)
        guard case .failed(let failure) = session.handshake() else { Issue.record("that is no TLS"); return }
        #expect(failure.kind != .closed)
        #expect(ERR_peek_error() == 0)
        session.close()
    }

    @Test("thousands of handshakes, good and aborted, hold nothing")
    func thousandsOfHandshakesGoodAndAbortedHoldNothing() throws {
        let server = try makeServer()
        let client = try ClientTLS(policy: .init(verifies: false))
        let hello = try clientHello()
        let store = ResumptionStore()
        for round in 0..<10_000 {
            switch round % 10 {
            case 0:
                let joined = try JoinedSessions(server, client, store: store, blocks: blocks)
                #expect(joined.shakeHands().server == .done)
                joined.settle()
            case 1:
                // Goes away without a word in the middle of the server's flight.
                let joined = try JoinedSessions(server, client, blocks: blocks)
                _ = joined.client.handshake()
                _ = joined.server.handshake()
            case 2...5: _ = try outcome(server, Array(hello.prefix(round % hello.count)))
            default: _ = try outcome(server, hello, ends: round % 2 == 0)
            }
            if blocks.inUse != 0 { Issue.record("blocks are held after round \(round)"); return }
        }
    }
}
