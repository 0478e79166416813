// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Engine

extension TLSSession {
    /// Whether the connection continues an earlier session, so that no certificate was shown.
    public var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    /// The application protocol that was agreed on (RFC 7301), empty when none was.
    public var applicationProtocol: String {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &name, &count)
        return unsafe String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
    }

    /// Checks whom the peer has proved to be, and notes it in `peerName`. Called once `handshake` returned `done`: a resumed
    /// session brings the verdict of an earlier handshake with it, and certificates may have expired since.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Returns: Why the connection must be closed, or nil.
    public func verifyPeer(now: Int) -> TLSFailure? {
        unsafe Resumption.keepRenewed(ssl)
        let mode = unsafe SSL_get_verify_mode(ssl)
        guard mode & SSL_VERIFY_PEER != 0 else { return nil }
        let verdict = unsafe SSL_get_verify_result(ssl)
        guard verdict == X509_V_OK else { return TLSFailure(.certificate(verdict)) }
        guard let certificate = unsafe SSL_get0_peer_certificate(ssl) else {
            return mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT != 0 ? TLSFailure(.noCertificate) : nil
        }
        let notAfter = unsafe Certificate.seconds(X509_get0_notAfter(certificate)) ?? 0
        guard notAfter >= now else {
            return TLSFailure(
                .certificate(Int(X509_V_ERR_CERT_HAS_EXPIRED)), detail: "it expired on \(Certificate.date(notAfter))")
        }
        guard unsafe SSL_is_server(ssl) == 1 else { return nil }
        guard let name = unsafe DistinguishedName.bytes(X509_get_subject_name(certificate)) else {
            return TLSFailure(
                .certificate(Int(X509_V_ERR_APPLICATION_VERIFICATION)),
                detail: "its subject is longer than \(DistinguishedName.limit) bytes")
        }
        peerName = name
        return nil
    }
}
