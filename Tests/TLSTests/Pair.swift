// SPDX-License-Identifier: Apache-2.0
// Both ends of a TLS connection over a pair of sockets, stepped in turn.

import Bytes
import COpenSSL
import Engine
import Glibc
import Testing

@testable import TLS

/// Two sessions joined by a socket pair; both non-blocking, both driven by the test.
final class JoinedSessions {
    let serverSocket: Int32
    let clientSocket: Int32
    let server: TLSSession
    let client: TLSSession
    private var isClosed = false

    init(
        _ serverTLS: ServerTLS, _ clientTLS: ClientTLS, host: String = "a.example", store: ResumptionStore? = nil,
        blocks: Blocks
    ) throws {
        (serverSocket, clientSocket) = try socketPair()
        server = try #require(
            serverTLS.makeSession(fd: serverSocket, smallBlocks: blocks.small, largeBlocks: blocks.large))
        client = try #require(
            clientTLS.makeSession(
                fd: clientSocket, smallBlocks: blocks.small, largeBlocks: blocks.large, host: host, resumption: store))
    }

    deinit { close() }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        client.close()
        server.close()
        Glibc.close(serverSocket)
        Glibc.close(clientSocket)
    }

    struct Ends { var server: TLSSession.Handshake, client: TLSSession.Handshake }

    /// Runs the handshake until both ends have settled, or neither can go on.
    func shakeHands() -> Ends {
        var ends = Ends(server: .wantsRead, client: .wantsRead)
        for _ in 0..<20 where !isSettled(ends.server) || !isSettled(ends.client) {
            if !isSettled(ends.client) { ends.client = step(client) }
            if case .failed = ends.client { _ = shutdown(clientSocket, Int32(SHUT_WR)) }
            if !isSettled(ends.server) { ends.server = step(server) }
            if case .failed = ends.server { _ = shutdown(serverSocket, Int32(SHUT_WR)) }
        }
        #expect(ERR_peek_error() == 0, "an error was left in OpenSSL's queue")
        return ends
    }

    private func step(_ session: TLSSession) -> TLSSession.Handshake {
        let result = session.handshake()
        if result == .done { _ = session.flush() }
        return result
    }

    private func isSettled(_ result: TLSSession.Handshake) -> Bool {
        switch result {
        case .done, .failed: true
        case .wantsRead, .blocked: false
        }
    }

    /// What `session` can receive now, at most `limit` bytes.
    func receive(_ session: TLSSession, limit: Int = .max) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let block = Block(capacity: 16 << 10)
            guard case .bytes = session.receive(into: block, limit: min(block.capacity, limit - bytes.count)) else {
                break
            }
            unsafe block.readable.withUnsafeBufferPointer { unsafe bytes += Array($0) }
        }
        return bytes
    }

    /// Lets the client take in tickets and the server the client's last flight.
    func settle() {
        _ = client.isQuiet()
        _ = server.isQuiet()
    }
}

/// The pools of a loop.
struct Blocks {
    let small = BlockPool(blockSize: 16 << 10, limit: 8)
    let large = BlockPool(blockSize: 64 << 10, limit: 8)
    var inUse: Int { small.inUse + large.inUse }
}

func socketPair() throws -> (Int32, Int32) {
    var pair: [Int32] = [-1, -1]
    guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &pair) == 0 else {
        throw SystemFailure("socketpair")
    }
    return (pair[0], pair[1])
}

extension TLSSession.Handshake {
    /// The kind of a failure, nil for anything else.
    var failure: TLSFailure.Kind? {
        if case .failed(let failure) = self { return failure.kind }
        return nil
    }
    var sentence: String {
        if case .failed(let failure) = self { return failure.sentence }
        return ""
    }
}
