// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// A side of TLS whose bytes the test carries: what it would send next can be looked at, cut, changed or withheld.
///
/// `@unchecked Sendable` is safe because a test hands it to one thread at a time.
///
/// `@safe` because it owns the `SSL`, which owns both BIOs, until its end.
@safe public final class Flights: @unchecked Sendable {
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer?
    private let outgoing: OpaquePointer?
    /// Whether the handshake was finished.
    public private(set) var isDone = false

    /// A new side, which for a client asks for `name`.
    public init(_ side: TLSSide, name: String? = "localhost") {
        unsafe ssl = unsafe side.makeSSL(name: name)
        unsafe incoming = unsafe BIO_new(BIO_s_mem())
        unsafe outgoing = unsafe BIO_new(BIO_s_mem())
        unsafe SSL_set_bio(ssl, incoming, outgoing)
    }

    deinit { unsafe SSL_free(ssl) }

    /// Takes in what came.
    public func take(_ bytes: [UInt8]) { unsafe BIO_write(incoming, bytes, Int32(bytes.count)) }

    /// Goes on with the handshake as far as possible; what is to be sent.
    public func next() -> [UInt8] {
        if !isDone { isDone = unsafe SSL_do_handshake(ssl) == 1 }
        ERR_clear_error()
        return drain()
    }

    /// The records in which `bytes` travel.
    public func records(of bytes: [UInt8]) -> [UInt8] {
        _ = unsafe SSL_write(ssl, bytes, Int32(bytes.count))
        ERR_clear_error()
        return drain()
    }

    /// Records that ask for new keys of both sides, one after the other, of which each is made with the keys of the one before
    /// (RFC 8446 section 4.6.3).
    public func keyUpdates(_ count: Int) -> [UInt8] {
        var all: [UInt8] = []
        for _ in 0..<count {
            // Not asking the other side in turn, because OpenSSL waits for its answer before it asks again.
            unsafe SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
            _ = unsafe SSL_do_handshake(ssl)
            ERR_clear_error()
            all += drain()
        }
        return all
    }

    /// The record of `close_notify`.
    public func farewell() -> [UInt8] {
        _ = unsafe SSL_shutdown(ssl)
        ERR_clear_error()
        return drain()
    }

    /// The data in what was taken in.
    public func data() -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe SSL_read(ssl, &buffer, Int32(buffer.count))
            guard count > 0 else {
                ERR_clear_error()
                return all
            }
            all += buffer[..<Int(count)]
        }
    }

    private func drain() -> [UInt8] {
        var buffer = unsafe [UInt8](repeating: 0, count: BIO_ctrl_pending(outgoing))
        let count = unsafe BIO_read(outgoing, &buffer, Int32(buffer.count))
        return Array(buffer.prefix(Int(max(0, count))))
    }
}
