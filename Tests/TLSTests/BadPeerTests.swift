// SPDX-License-Identifier: Apache-2.0
// Peers that are not TLS, or not whole.

import Bytes
import COpenSSL
import Engine
import Glibc
import XCTest

@testable import TLS

final class BadPeerTests: XCTestCase {
    private let blocks = Blocks()

    override func tearDown() { XCTAssertEqual(blocks.inUse, 0, "blocks were not given back") }

    private func makeServer() throws -> ServerTLS {
        let pair = try CertificatePair.selfSigned(now: TestAuthority.now)
        return try ServerTLS(
            policy: .init(), certificates: XCTUnwrap(CertificateSet([pair])), tickets: TicketKeys(now: 0))
    }

    /// What a server makes of `bytes`, after which the peer sends nothing more.
    private func outcome(_ server: ServerTLS, _ bytes: [UInt8], ends: Bool = true) throws -> TLSSession.Handshake {
        let (near, far) = try socketPair()
        defer {
            close(near)
            close(far)
        }
        let session = try XCTUnwrap(
            server.makeSession(fd: near, smallBlocks: blocks.small, largeBlocks: blocks.large))
        defer { session.close() }
        unsafe XCTAssertEqual(write(far, bytes, bytes.count), bytes.count)
        if ends { _ = shutdown(far, Int32(SHUT_WR)) }
        var result = session.handshake()
        // A short read tells that the socket is empty, so the end behind it is found by the next step.
        if ends, result == .wantsRead { result = session.handshake() }
        XCTAssertEqual(ERR_peek_error(), 0, "an error was left in OpenSSL's queue")
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
        let session = try XCTUnwrap(
            client.makeSession(fd: near, smallBlocks: blocks.small, largeBlocks: blocks.large, host: "a.example"))
        XCTAssertEqual(session.handshake(), .wantsRead)
        session.close()
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(far, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }

    func testPlainHTTPIsRecognised() throws {
        let server = try makeServer()
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.0\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\n\r\n",
        ] {
            XCTAssertEqual(try outcome(server, Array(text.utf8)).failure, .plainHTTP, text)
        }
    }

    func testEveryTruncationOfAClientHelloFailsOrWaits() throws {
        let server = try makeServer()
        let hello = try clientHello()
        XCTAssertGreaterThan(hello.count, 100)
        for length in 0..<hello.count {
            let part = Array(hello.prefix(length))
            XCTAssertEqual(try outcome(server, part).failure, .closed, "\(length) bytes")
            XCTAssertEqual(try outcome(server, part, ends: false), .wantsRead, "\(length) bytes")
        }
        XCTAssertEqual(try outcome(server, hello, ends: false), .wantsRead)
    }

    func testAClientHelloInPiecesIsTheSame() throws {
        let server = try makeServer()
        let hello = try clientHello()
        for piece in [1, 2, 3, 5, 6, 77] {
            let (near, far) = try socketPair()
            defer {
                close(near)
                close(far)
            }
            let session = try XCTUnwrap(
                server.makeSession(fd: near, smallBlocks: blocks.small, largeBlocks: blocks.large))
            for start in stride(from: 0, to: hello.count, by: piece) {
                let part = Array(hello[start..<min(hello.count, start + piece)])
                unsafe XCTAssertEqual(write(far, part, part.count), part.count)
                XCTAssertEqual(session.handshake(), .wantsRead)
            }
            var answer = [UInt8](repeating: 0, count: 8192)
            unsafe XCTAssertGreaterThan(read(far, &answer, answer.count), 100)
            XCTAssertEqual(answer[0], 22, "a ServerHello")
            session.close()
        }
    }

    func testRandomBytesAndDamagedHellosFail() throws {
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
            case .done, .blocked: XCTFail("\(bytes)")
            }
        }
        // A record that claims more than it may, one without content, a change of cipher out of turn, an alert.
        for bytes: [UInt8] in [
            [22, 3, 1, 0xFF, 0xFF, 1], [22, 3, 1, 0, 0], [20, 3, 3, 0, 1, 1], [21, 3, 3, 0, 2, 2, 40],
            [22, 3, 1, 0, 4, 1, 0xFF, 0xFF, 0xFF], [0x80, 0x2E, 1, 0, 2],
        ] {
            guard case .failed = try outcome(server, bytes) else { XCTFail("\(bytes)"); continue }
        }
    }

    func testATLSClientHearsThatTheOtherSideIsNone() throws {
        let (near, far) = try socketPair()
        defer {
            close(near)
            close(far)
        }
        let session = try XCTUnwrap(
            ClientTLS(policy: .init(verifies: false)).makeSession(
                fd: near, smallBlocks: blocks.small, largeBlocks: blocks.large, host: "a.example"))
        XCTAssertEqual(session.handshake(), .wantsRead)
        let text = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        unsafe XCTAssertEqual(write(far, text, text.count), text.count)
        guard case .failed(let failure) = session.handshake() else { return XCTFail("that is no TLS") }
        XCTAssertNotEqual(failure.kind, .closed)
        XCTAssertEqual(ERR_peek_error(), 0)
        session.close()
    }

    func testThousandsOfHandshakesGoodAndAbortedHoldNothing() throws {
        let server = try makeServer()
        let client = try ClientTLS(policy: .init(verifies: false))
        let hello = try clientHello()
        let store = ResumptionStore()
        for round in 0..<10_000 {
            switch round % 10 {
            case 0:
                let joined = try JoinedSessions(server, client, store: store, blocks: blocks)
                XCTAssertEqual(joined.shakeHands().server, .done)
                joined.settle()
            case 1:
                // Goes away without a word in the middle of the server's flight.
                let joined = try JoinedSessions(server, client, blocks: blocks)
                _ = joined.client.handshake()
                _ = joined.server.handshake()
            case 2...5: _ = try outcome(server, Array(hello.prefix(round % hello.count)))
            default: _ = try outcome(server, hello, ends: round % 2 == 0)
            }
            if blocks.inUse != 0 { return XCTFail("blocks are held after round \(round)") }
        }
    }
}
