// SPDX-License-Identifier: Apache-2.0
// TLS on one connection: OpenSSL does the cryptography, and this does the I/O between it and the socket.
//
// OpenSSL reads straight from the socket into its own buffer, as much as there is (`SSL_set_read_ahead`), and a read that got
// less than it asked for is remembered, so that no further call is made only to see EAGAIN. What OpenSSL writes is staged in a block
// of the loop and sent when the block is full or the owner flushes: a head and a small body are one record and one
// `send`, a large body four records to a `send`. A connection that idles holds neither block nor buffer
// (`SSL_MODE_RELEASE_BUFFERS`).
//
// The error queue of OpenSSL belongs to the thread. Whoever's call failed empties it before anything else happens, so it is
// empty before every call.

public import Bytes
import COpenSSL
public import Engine
import Glibc

/// One end of a TLS connection. Belongs to one loop (or thread), like the connection that it serves.
///
/// `@safe` because it owns the `SSL` until its end, and nobody else frees it.
@safe public final class TLSSession: TransportLayer {
    let ssl: OpaquePointer
    private let fd: Int32
    private let smallBlocks: BlockPool
    private let largeBlocks: BlockPool
    /// What OpenSSL wrote and the kernel has not taken.
    private var staged: ContiguousArray<Block> = []
    /// Whether the kernel took less than it was offered; until it is flushed whole, nothing more is encrypted.
    private var isRefused = false
    /// Whether the socket gave less than it was asked for, so that it is known to be empty.
    private var isDrained = false
    /// Whether the peer ended its sending side below TLS.
    private var hasEnded = false
    /// What the socket failed with, or 0.
    private var socketError: Int32 = 0
    /// Whether OpenSSL gave the connection up; then it must not be asked for anything more, a farewell least of all.
    private var isBroken = false
    /// What every further receive comes to.
    private var verdict: Received?
    private var isClosed = false
    private var hasSaidFarewell = false
    /// Whether the handshake is done.
    private var isSecure = false
    /// Bytes of the peer's that the handshake has taken.
    private var handshakeBytes = 0
    /// What the peer may still send that carries nothing.
    private var emptyMessages = EmptyMessages()
    /// Whether it sent too much of that. Nothing more is read then.
    private var isFlooded = false

    /// Plaintext for one record (RFC 8446 section 5.1).
    private static let recordLimit = 16 << 10
    /// Blocks that may be staged; more is a peer that makes OpenSSL write without reading.
    private static let stagedLimit = 4
    /// Bytes that a peer's side of a handshake may have; OpenSSL takes 100 KiB of certificates.
    private static let handshakeLimit = 128 << 10
    /// Records that are read in a row before whoever owns the connection can give others their turn. One may carry a single byte.
    private static let recordsInARow = 64

    /// Takes ownership of `ssl`, which is ready for `SSL_do_handshake` but for its BIO.
    ///
    /// - Parameters:
    ///   - fd: An open non-blocking socket, owned by the connection, that outlives this.
    ///   - smallBlocks: Blocks for short writes.
    ///   - largeBlocks: Blocks for long ones.
    /// - Returns: nil when OpenSSL has no memory; `ssl` is freed then too.
    init?(adopting ssl: OpaquePointer, fd: Int32, smallBlocks: BlockPool, largeBlocks: BlockPool) {
        unsafe self.ssl = unsafe ssl
        self.fd = fd
        self.smallBlocks = smallBlocks
        self.largeBlocks = largeBlocks
        super.init()
        guard let bio = unsafe BIO_new(SocketBIO.method) else {
            unsafe SSL_free(ssl)
            isClosed = true
            return nil
        }
        // Unretained is safe because the session frees the BIO, with its SSL, before it goes away.
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        unsafe BIO_set_init(bio, 1)
        unsafe SSL_set_bio(ssl, bio, bio)
        unsafe SSL_set_msg_callback(ssl) { isOurs, _, type, _, _, ssl, _ in
            // Handshake messages and changes of cipher that came, and alerts, also those in answer to what came.
            guard
                type == SSL3_RT_ALERT
                    || isOurs == 0 && (type == SSL3_RT_HANDSHAKE || type == SSL3_RT_CHANGE_CIPHER_SPEC)
            else { return }
            unsafe SocketBIO.session(of: SSL_get_rbio(ssl))?.messageCame()
        }
    }

    deinit {
        // The owner closes; this is for one that never came to it.
        if !isClosed { unsafe SSL_free(ssl) }
    }

    // MARK: Handshake

    /// What a step of the handshake came to.
    public enum Handshake: Equatable, Sendable {
        /// The connection is secure. What OpenSSL wrote last is still to be flushed.
        case done
        /// The peer has the word; go on when the socket is readable.
        case wantsRead
        /// The kernel takes no more; go on when the socket is writable.
        case blocked
        /// It came to nothing. The alert has been sent if it could be.
        case failed(TLSFailure)
    }

    /// Goes on with the handshake as far as the peer's bytes reach.
    public func handshake() -> Handshake {
        if isRefused {
            switch flush() {
            case .sent: break
            case .blocked: return .blocked
            case .failed(let code): return .failed(TLSFailure(.broken(code)))
            }
        }
        isDrained = false
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 {
            isSecure = true
            protocolName = unsafe SSL_version(ssl) == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2"
            return .done
        }
        let error = unsafe SSL_get_error(ssl, result)
        if error == SSL_ERROR_WANT_READ {
            sendStaged()
            if socketError != 0 { return .failed(TLSFailure(.broken(socketError))) }
            return isRefused ? .blocked : .wantsRead
        }
        isBroken = true
        if isFlooded {
            ERR_clear_error()
            return .failed(TLSFailure(.malformed(0)))
        }
        let failure = unsafe TLSFailure.take(from: ssl, hasEnded: hasEnded, socketError: socketError)
        sendStaged()
        return .failed(failure)
    }

    /// Whether there may be something to receive besides what the handshake needed.
    public var mayHaveMore: Bool { unsafe !isDrained || SSL_has_pending(ssl) == 1 }

    // MARK: Receiving

    public override func receive(into block: Block, limit: Int) -> Received {
        if let verdict { return verdict }
        isDrained = false
        let received = unsafe block.fill { free in
            precondition(free.count > 0 && limit > 0, "receives only where there is room")
            return unsafe read(into: UnsafeMutableRawBufferPointer(rebasing: free.prefix(limit)))
        }
        // A key update, or an alert, which nobody else will flush.
        if !staged.isEmpty, !isRefused { sendStaged() }
        return received
    }

    private func read(into room: UnsafeMutableRawBufferPointer) -> (written: Int, outcome: Received) {
        var total = 0
        var records = 0
        while total < room.count, records < Self.recordsInARow {
            records += 1
            var count = 0
            let result = unsafe SSL_read_ex(ssl, room.baseAddress.map { unsafe $0 + total }, room.count - total, &count)
            if result == 1 {
                total += count
                if isDrained, unsafe SSL_has_pending(ssl) == 0 { return (total, .bytes(total, mayHaveMore: false)) }
                continue
            }
            switch unsafe SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ:
                return (total, total > 0 ? .bytes(total, mayHaveMore: false) : .wouldBlock)
            case SSL_ERROR_ZERO_RETURN:
                verdict = .closed
            default:
                isBroken = true
                ERR_clear_error()
                verdict = socketError != 0 ? .failed(socketError) : hasEnded && !isFlooded ? .cut : .failed(EPROTO)
            }
            return (total, total > 0 ? .bytes(total, mayHaveMore: true) : verdict ?? .cut)
        }
        return (total, .bytes(total, mayHaveMore: true))
    }

    public override func isQuiet() -> Bool {
        guard verdict == nil, !isBroken else { return false }
        isDrained = false
        var byte: UInt8 = 0
        var count = 0
        // Also takes in what may come at any time and is no data, such as session tickets.
        let result = unsafe SSL_peek_ex(ssl, &byte, 1, &count)
        if result == 1 { return false }
        if unsafe SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ { return true }
        isBroken = unsafe SSL_get_error(ssl, result) != SSL_ERROR_ZERO_RETURN
        ERR_clear_error()
        return false
    }

    // MARK: Sending

    public override func take(_ bytes: Span<UInt8>) -> Taken {
        guard !isBroken else { return .failed(socketError != 0 ? socketError : EPROTO) }
        return unsafe bytes.withUnsafeBytes { raw in
            var total = 0
            while total < raw.count, !isRefused {
                var count = 0
                let piece = min(Self.recordLimit, raw.count - total)
                let result = unsafe SSL_write_ex(ssl, raw.baseAddress.map { unsafe $0 + total }, piece, &count)
                guard result == 1 else {
                    isBroken = true
                    ERR_clear_error()
                    return .failed(socketError != 0 ? socketError : EPROTO)
                }
                total += count
            }
            return .bytes(total)
        }
    }

    public override func flush() -> Outbox.Outcome {
        sendStaged()
        if socketError != 0 { return .failed(socketError) }
        return isRefused ? .blocked : .sent
    }

    /// OpenSSL writes: keeps the bytes, and sends what is staged once a large block is full of it.
    fileprivate func stage(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard socketError == 0, let start = bytes.baseAddress else { return socketError == 0 }
        let span = unsafe Span<UInt8>(
            _unsafeStart: start.assumingMemoryBound(to: UInt8.self), count: bytes.count)
        if staged.isEmpty {
            staged.append((bytes.count <= smallBlocks.blockSize / 4 ? smallBlocks : largeBlocks).take())
        }
        var rest = span
        while true {
            guard let last = staged.last else { return false }
            if last.free < rest.count, last.capacity < largeBlocks.blockSize, staged.count == 1, !isRefused {
                // It was begun for something small.
                let larger = largeBlocks.take()
                larger.append(last.readable)
                staged[0] = larger
                smallBlocks.give(last)
                continue
            }
            rest = rest.extracting(last.appendPrefix(rest)..<rest.count)
            if rest.isEmpty { return true }
            if !isRefused { sendStaged() }
            if socketError != 0 { return false }
            guard staged.count < Self.stagedLimit else { return false }
            staged.append(largeBlocks.take())
        }
    }

    private func sendStaged() {
        isRefused = false
        while let first = staged.first, socketError == 0 {
            let offered = first.count
            switch Sockets.send(fd, first.readable) {
            case .bytes(let count):
                sentBytes &+= UInt64(count)
                if count < offered {
                    first.consume(count)
                    isRefused = true
                    shrinkStaged()
                    return
                }
                giveBack(staged.removeFirst())
            case .wouldBlock:
                isRefused = true
                return
            case .closed: socketError = EPIPE
            case .failed(let code): socketError = code
            }
        }
    }

    /// A peer that takes nothing holds no large block for a small rest.
    private func shrinkStaged() {
        guard staged.count == 1, let first = staged.first, first.capacity > smallBlocks.blockSize,
            first.count <= smallBlocks.blockSize / 2
        else { return }
        let smaller = smallBlocks.take()
        smaller.append(first.readable)
        staged[0] = smaller
        giveBack(first)
    }

    private func giveBack(_ block: Block) {
        (block.capacity == smallBlocks.blockSize ? smallBlocks : largeBlocks).give(block)
    }

    // MARK: Ending

    public override func takeFarewell() { sayFarewell() }

    public override func finishSending() {
        sayFarewell()
        sendStaged()
    }

    public override func abandon() {
        // Keeps OpenSSL from taking the session out of its cache, which it does when a connection is freed without a farewell.
        unsafe SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        hasSaidFarewell = true
    }

    public override func close() {
        guard !isClosed else { return }
        if !hasSaidFarewell, !isBroken {
            sayFarewell()
            sendStaged()
        }
        isClosed = true
        for block in staged { giveBack(block) }
        staged.removeAll()
        verdict = .closed
        isBroken = true
        unsafe SSL_free(ssl)
    }

    /// `close_notify` (RFC 8446 section 6.1), at most once, and only on a connection that was secure.
    private func sayFarewell() {
        guard !hasSaidFarewell, !isBroken, unsafe SSL_is_init_finished(ssl) == 1 else { return }
        hasSaidFarewell = true
        if unsafe SSL_shutdown(ssl) < 0 { ERR_clear_error() }
    }

    // MARK: What OpenSSL asks of the socket

    fileprivate func readSocket(into room: UnsafeMutableRawBufferPointer) -> Int {
        if isDrained || hasEnded || isFlooded || socketError != 0 || room.count == 0 { return 0 }
        while true {
            let count = unsafe recv(fd, room.baseAddress, room.count, 0)
            if count > 0 {
                isDrained = count < room.count
                if !isSecure {
                    handshakeBytes += count
                    if handshakeBytes > Self.handshakeLimit { isFlooded = true }
                }
                return count
            }
            if count == 0 {
                hasEnded = true
                return 0
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                isDrained = true
                return 0
            default:
                socketError = errno
                return 0
            }
        }
    }

    /// Whether a read that got nothing may get something later.
    fileprivate var mayReadLater: Bool { !hasEnded && !isFlooded && socketError == 0 }
    fileprivate var isAtEnd: Bool { hasEnded }

    /// A message that is no data came, or an alert, or this side had to answer one. During the handshake that is its business.
    fileprivate func messageCame() {
        guard isSecure, !isFlooded else { return }
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let milliseconds = UInt64(now.tv_sec) &* 1_000 &+ UInt64(now.tv_nsec / 1_000_000)
        if !emptyMessages.take(at: milliseconds) { isFlooded = true }
    }
}

/// OpenSSL's way to the socket: a BIO whose reads and writes are the session's.
private enum SocketBIO {
    /// Made once and never freed. `nonisolated(unsafe)` is safe because nothing changes it after it was made.
    nonisolated(unsafe) static let method: OpaquePointer? = {
        let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gateway socket")
        unsafe BIO_meth_set_write(method) { bio, bytes, count in
            guard let session = unsafe session(of: bio), count >= 0 else { return -1 }
            unsafe gw_bio_clear_retry(bio)
            return unsafe session.stage(UnsafeRawBufferPointer(start: bytes, count: Int(count))) ? count : -1
        }
        unsafe BIO_meth_set_read(method) { bio, bytes, count in
            guard let session = unsafe session(of: bio), count >= 0 else { return -1 }
            unsafe gw_bio_clear_retry(bio)
            let got = unsafe session.readSocket(into: UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)))
            if got > 0 { return Int32(got) }
            if session.mayReadLater {
                unsafe gw_bio_retry_read(bio)
                return -1
            }
            return session.isAtEnd ? 0 : -1
        }
        unsafe BIO_meth_set_ctrl(method) { bio, command, _, _ in
            switch command {
            case Int32(gw_bio_ctrl_flush): 1
            case Int32(gw_bio_ctrl_eof): unsafe session(of: bio)?.isAtEnd == true ? 1 : 0
            default: 0
            }
        }
        return unsafe method
    }()

    fileprivate static func session(of bio: OpaquePointer?) -> TLSSession? {
        unsafe BIO_get_data(bio).map { unsafe Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
    }
}
