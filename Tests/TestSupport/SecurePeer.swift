// SPDX-License-Identifier: Apache-2.0
// A peer that speaks TLS. It is made of OpenSSL with its own blocking socket I/O and of nothing that the gateway is made of, so
// that a mistake of the gateway's cannot be made by both ends alike.

import COpenSSL
import Glibc

/// One end of a TLS connection, with blocking calls that give up after a while.
///
/// `@unchecked Sendable` is safe because a test hands a peer to one thread at a time.
///
/// `@safe` because it owns the `SSL` until its end.
@safe public final class SecurePeer: Peer, @unchecked Sendable {
    /// How receiving came to its end.
    public enum End: Equatable, Sendable {
        /// It has not.
        case none
        /// `close_notify`.
        case farewell
        /// The connection ended, or was reset, without one.
        case cut
        /// The other end sent this alert.
        case alert(Int)
        /// Nothing came in time.
        case silence
        /// Bytes that are no TLS.
        case malformed
    }

    /// A session that a later connection can resume.
    ///
    /// `@unchecked Sendable` is safe because nothing changes it, and OpenSSL counts its references atomically.
    ///
    /// `@safe` because it owns one reference to the session until its end.
    @safe public final class Session: @unchecked Sendable {
        fileprivate let pointer: OpaquePointer
        fileprivate init(_ pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }
        deinit { unsafe SSL_SESSION_free(pointer) }
        /// Whether data may be sent before the handshake is over (RFC 8446 section 2.3).
        public var allowsEarlyData: Bool { unsafe SSL_SESSION_get_max_early_data(pointer) > 0 }
    }

    private let ssl: OpaquePointer
    /// Whether the handshake was finished.
    public private(set) var isSecure = false
    /// How receiving, or the handshake, ended.
    public private(set) var end = End.none
    private var hasSaidFarewell = false

    /// Connects to a port on loopback and shakes hands, asking for `name` and continuing `session`.
    public init(
        port: UInt16, _ side: TLSSide, name: String? = "localhost", resuming session: Session? = nil,
        receiveBuffer: Int32? = nil, waiting seconds: Int = 10
    ) {
        unsafe ssl = unsafe side.makeSSL(name: name)
        if let session { unsafe SSL_set_session(ssl, session.pointer) }
        super.init(connectingTo: port, receiveBuffer: receiveBuffer, waiting: seconds)
        shakeHands()
    }

    /// Shakes hands on a connection that was accepted.
    init(adopting fd: Int32, _ side: TLSSide) {
        unsafe ssl = unsafe side.makeSSL(name: nil)
        super.init(adopting: fd)
        shakeHands()
    }

    deinit {
        close()
        unsafe SSL_free(ssl)
    }

    private func shakeHands() {
        ERR_clear_error()
        unsafe SSL_set_fd(ssl, fd)
        let result = unsafe SSL_do_handshake(ssl)
        isSecure = result == 1
        if !isSecure { noteEnd(result) }
    }

    /// The version, such as `TLSv1.3`.
    public var version: String { unsafe String(cString: SSL_get_version(ssl)) }
    /// Whether an earlier session was continued.
    public var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }
    /// The serial number of the certificate that the other end showed.
    public var peerSerial: Int? {
        unsafe SSL_get0_peer_certificate(ssl).map { unsafe ASN1_INTEGER_get(X509_get_serialNumber($0)) }
    }
    /// The name that the client asked for (SNI); nil for none.
    public var askedName: String? {
        unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { unsafe String(cString: $0) }
    }
    /// Whether the certificate that the other end showed leads to a trusted authority.
    public var isVerified: Bool { unsafe SSL_get_verify_result(ssl) == X509_V_OK }
    /// The session, once the server has sent what is needed to resume it.
    public var session: Session? {
        guard let session = unsafe SSL_get1_session(ssl) else { return nil }
        let kept = unsafe Session(session)
        return unsafe SSL_SESSION_is_resumable(session) == 1 ? kept : nil
    }

    /// Waits for bytes that are no data of the application, such as session tickets, and takes them in. False when none came.
    public func takeInTickets() -> Bool {
        var watched = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&watched, 1, 10_000) == 1 else { return false }
        let flags = fcntl(fd, F_GETFL)
        _ = fcntl(fd, F_SETFL, flags | O_NONBLOCK)
        var byte: UInt8 = 0
        _ = unsafe SSL_peek(ssl, &byte, 1)
        ERR_clear_error()
        _ = fcntl(fd, F_SETFL, flags)
        return session != nil
    }

    /// Sends a session ticket, as a TLS 1.3 server may at any time (RFC 8446 section 4.6.1).
    public func sendTicket() {
        unsafe SSL_new_session_ticket(ssl)
        _ = unsafe SSL_do_handshake(ssl)
        ERR_clear_error()
    }

    /// The records in which `bytes` would travel; they must be sent next, by `sendRaw`.
    public func records(of bytes: [UInt8]) -> [UInt8] {
        let memory = unsafe BIO_new(BIO_s_mem())
        unsafe SSL_set0_wbio(ssl, memory)
        _ = unsafe SSL_write(ssl, bytes, Int32(bytes.count))
        var start: UnsafeMutablePointer<CChar>?
        let count = unsafe gw_bio_memory(memory, &start)
        let records = unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
        unsafe SSL_set0_wbio(ssl, BIO_new_socket(fd, 0))
        return records
    }

    /// Sends bytes as they are, past TLS.
    @discardableResult public func sendRaw(_ bytes: [UInt8]) -> Bool { writeSocket(bytes) }

    override func write(_ bytes: [UInt8]) -> Bool {
        guard isSecure else { return false }
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes[offset...].withUnsafeBytes {
                unsafe SSL_write(ssl, $0.baseAddress, Int32($0.count))
            }
            guard count > 0 else {
                let error = unsafe SSL_get_error(ssl, count)
                hasWaitedInVain = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ
                ERR_clear_error()
                return false
            }
            offset += Int(count)
        }
        return true
    }

    override func read() -> [UInt8] {
        guard isSecure, fd >= 0 else { return [] }
        let count = unsafe SSL_read(ssl, &buffer, Int32(buffer.count))
        if count > 0 { return Array(buffer[..<Int(count)]) }
        noteEnd(count)
        return []
    }

    private func noteEnd(_ result: Int32) {
        let error = unsafe SSL_get_error(ssl, result)
        let code = ERR_get_error()
        ERR_clear_error()
        let reason = gw_err_reason(code)
        switch error {
        case SSL_ERROR_ZERO_RETURN: end = .farewell
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            end = .silence
            hasWaitedInVain = true
        case SSL_ERROR_SYSCALL: end = .cut
        default:
            if reason == SSL_R_UNEXPECTED_EOF_WHILE_READING {
                end = .cut
            } else if reason >= SSL_AD_REASON_OFFSET {
                end = .alert(Int(reason - SSL_AD_REASON_OFFSET))
            } else {
                end = .malformed
            }
        }
    }

    /// Says farewell and ends the sending side.
    public override func finishSending() {
        sayFarewell()
        super.finishSending()
    }

    /// Says farewell (`close_notify`) and closes.
    public override func close() {
        if fd >= 0 { sayFarewell() }
        super.close()
    }

    /// Closes without a farewell, as somebody in between could.
    public func cut() { super.close() }

    private func sayFarewell() {
        guard isSecure, !hasSaidFarewell, end != .malformed else { return }
        hasSaidFarewell = true
        _ = unsafe SSL_shutdown(ssl)
        ERR_clear_error()
    }
}
