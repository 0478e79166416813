// SPDX-License-Identifier: Apache-2.0
// What a client sends to a TLS server. The first byte chooses what goes before the input: nothing, a valid ClientHello, or a
// whole handshake; and whether the input comes at once or in two pieces.
// Oracle: no crash, nothing leaked, every block given back, no error left in OpenSSL's queue, and a verdict that stays.

import Bytes
import COpenSSL
import Engine
import Glibc
import TLS

// `nonisolated(unsafe)` is safe because libFuzzer calls from one thread.
nonisolated(unsafe) private let small = BlockPool(blockSize: 16 << 10, limit: 8)
nonisolated(unsafe) private let large = BlockPool(blockSize: 64 << 10, limit: 8)
private let server = makeServer()
private let client = makeClient()

private func makeServer() -> ServerTLS {
    do {
        let own = try CertificatePair.selfSigned(now: time(nil), hostName: "localhost")
        guard let set = CertificateSet([own]) else { fatalError("no certificate") }
        return try ServerTLS(policy: .init(), certificates: set, tickets: TicketKeys(now: 0))
    } catch { fatalError("no server: \(error.sentence)") }
}

private func makeClient() -> ClientTLS {
    do { return try ClientTLS(policy: .init(verifies: false)) } catch { fatalError("no client: \(error.sentence)") }
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHandshake(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let input = unsafe UnsafeBufferPointer(start: start, count: count)
    let choice = input[0]
    let bytes = Array(input.dropFirst())
    var pair: [Int32] = [-1, -1]
    let made = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &pair)
    check(made == 0, "no sockets")
    guard let ours = server.makeSession(fd: pair[0], smallBlocks: small, largeBlocks: large),
        let theirs = client.makeSession(fd: pair[1], smallBlocks: small, largeBlocks: large, host: "localhost")
    else { fatalError("no memory") }
    switch choice & 3 {
    case 0: break
    case 1: _ = theirs.handshake()
    default:
        for _ in 0..<4 {
            if theirs.handshake() == .done { _ = theirs.flush() }
            if ours.handshake() == .done { _ = ours.flush() }
        }
        check(ours.handshake() == .done, "a good handshake fails")
    }
    var driver = Driver(ours)
    let cut = choice & 4 == 0 ? bytes.count : Int(choice >> 3) * bytes.count / 32
    send(Array(bytes[..<cut]), to: pair[1])
    driver.step()
    send(Array(bytes[cut...]), to: pair[1])
    driver.step()
    _ = shutdown(pair[1], Int32(SHUT_WR))
    let last = driver.step()
    check(last != .open, "an end is not seen")
    check(driver.step() == last, "another verdict")
    theirs.abandon()
    theirs.close()
    ours.close()
    close(pair[0])
    close(pair[1])
    check(small.inUse == 0 && large.inUse == 0, "a block was not given back")
    check(ERR_peek_error() == 0, "an error was left")
    return 0
}

private func send(_ bytes: [UInt8], to fd: Int32) {
    if !bytes.isEmpty { check(write(fd, bytes, bytes.count) == bytes.count, "not all was written") }
}

private enum Verdict: Equatable { case open, ended, failed }

/// The server's end, driven as the gateway drives it: what has failed is not asked again.
private struct Driver {
    let session: TLSSession
    private var isSecure = false
    private var hasFailed = false

    init(_ session: TLSSession) { self.session = session }

    /// Goes on with the handshake, then receives whatever there is.
    @discardableResult mutating func step() -> Verdict {
        // Twice: a short read does not show an end behind it.
        for _ in 0..<2 where !isSecure && !hasFailed {
            switch session.handshake() {
            case .failed: hasFailed = true
            case .wantsRead, .blocked: break
            case .done:
                _ = session.flush()
                isSecure = true
            }
        }
        return hasFailed ? .failed : isSecure ? receive(session) : .open
    }
}

private func receive(_ session: TLSSession) -> Verdict {
    let block = large.take()
    defer { large.give(block) }
    while true {
        block.clear()
        switch session.receive(into: block, limit: block.capacity) {
        case .bytes: continue
        case .wouldBlock: return .open
        case .closed, .cut: return .ended
        case .failed: return .failed
        }
    }
}
