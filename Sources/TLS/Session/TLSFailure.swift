// SPDX-License-Identifier: Apache-2.0
// Why a handshake came to nothing, as a word for the log and a sentence for people.

import COpenSSL
import Engine
import Glibc

/// What ended a handshake.
public struct TLSFailure: Error, Equatable, Sendable {
    /// The kinds that call for different action.
    public enum Kind: Equatable, Sendable {
        /// The peer went away in the middle.
        case closed
        /// The socket broke: the `errno`.
        case broken(Int32)
        /// The peer speaks plain HTTP (server side).
        case plainHTTP
        /// The peer's certificate was refused: OpenSSL's `X509_V_ERR_…`.
        case certificate(Int)
        /// The peer showed no certificate where one is required.
        case noCertificate
        /// The two have no version of TLS in common.
        case version
        /// The two have no cipher suite, curve or signature in common.
        case noSharedParameters
        /// The two have no application protocol in common (RFC 7301 section 3.2).
        case noProtocol
        /// The peer refused with this alert (RFC 8446 section 6).
        case alert(Int)
        /// The peer's bytes are not TLS, or break its rules: OpenSSL's reason.
        case malformed(Int)
        /// It took too long.
        case timeout
        /// This machine is at fault: no memory, no key.
        case ours(Int)
    }

    /// What happened.
    public let kind: Kind
    /// What more there is to say of a certificate, such as the names that it is for; empty when nothing is.
    public let detail: String

    /// A failure.
    public init(_ kind: Kind, detail: String = "") {
        self.kind = kind
        self.detail = detail
    }

    /// Reads what OpenSSL has to say, and empties its queue.
    static func take(from ssl: OpaquePointer, hasEnded: Bool, socketError: Int32) -> TLSFailure {
        // The first entry is the cause, the later ones are those who passed it on.
        let code = ERR_get_error()
        ERR_clear_error()
        if socketError != 0 { return TLSFailure(.broken(socketError)) }
        let reason = Int(gw_err_reason(code))
        guard gw_err_library(code) == ERR_LIB_SSL else {
            if hasEnded { return TLSFailure(.closed) }
            return TLSFailure(code == 0 ? .closed : .malformed(reason))
        }
        if reason >= SSL_AD_REASON_OFFSET { return TLSFailure(.alert(reason - Int(SSL_AD_REASON_OFFSET))) }
        switch Int32(reason) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            return unsafe TLSFailure(.certificate(SSL_get_verify_result(ssl)), detail: VerificationDetail.of(ssl))
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return TLSFailure(.noCertificate)
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: return TLSFailure(.plainHTTP)
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_UNSUPPORTED_SSL_VERSION, SSL_R_NO_PROTOCOLS_AVAILABLE,
            SSL_R_VERSION_TOO_LOW, SSL_R_INAPPROPRIATE_FALLBACK:
            return TLSFailure(.version)
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
            SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SUITABLE_GROUPS, SSL_R_UNSUPPORTED_ELLIPTIC_CURVE:
            return TLSFailure(.noSharedParameters)
        case SSL_R_NO_APPLICATION_PROTOCOL: return TLSFailure(.noProtocol)
        case SSL_R_UNEXPECTED_EOF_WHILE_READING: return TLSFailure(.closed)
        default: return TLSFailure(hasEnded ? .closed : .malformed(reason))
        }
    }

    /// How the log spells it.
    public var word: StaticString {
        switch kind {
        case .closed: "tls-closed"
        case .broken: "tls-broken"
        case .plainHTTP: "http-on-tls-port"
        case .certificate(let code): Self.certificateWord(code)
        case .noCertificate: "tls-no-certificate"
        case .version: "tls-version"
        case .noSharedParameters: "tls-no-shared-cipher"
        case .noProtocol: "tls-no-shared-protocol"
        case .alert: "tls-alert"
        case .malformed: "tls-malformed"
        case .timeout: "tls-timeout"
        case .ours: "tls-own-failure"
        }
    }

    private static func certificateWord(_ code: Int) -> StaticString {
        switch Int32(code) {
        case X509_V_ERR_CERT_HAS_EXPIRED: "certificate-expired"
        case X509_V_ERR_CERT_NOT_YET_VALID: "certificate-not-yet-valid"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "certificate-self-signed"
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            "certificate-unknown-issuer"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: "certificate-wrong-name"
        case X509_V_ERR_CERT_REVOKED: "certificate-revoked"
        case X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_CRL_NOT_YET_VALID:
            "certificate-no-current-crl"
        case X509_V_ERR_INVALID_PURPOSE: "certificate-wrong-purpose"
        default: "certificate-refused"
        }
    }

    /// What people are told.
    public var sentence: String {
        switch kind {
        case .closed: "the peer closed the connection during the TLS handshake"
        case .broken(let code): "the connection broke during the TLS handshake: \(SystemFailure.reason(code))"
        case .plainHTTP: "the peer speaks plain HTTP on a TLS port"
        case .certificate(let code):
            unsafe "the certificate was refused: "
                + (detail.isEmpty
                    ? X509_verify_cert_error_string(code).map { unsafe String(cString: $0) } ?? "code \(code)" : detail)
        case .noCertificate: "the peer showed no certificate, and one is required"
        case .version: "the peer does not speak a version of TLS that is allowed here"
        case .noSharedParameters: "the peer offers no cipher suite, curve or signature that is allowed here"
        case .noProtocol: "the peer offers no application protocol that is spoken here (ALPN)"
        case .alert(let number):
            unsafe "the peer refused with the alert "
                + (SSL_alert_desc_string_long(Int32(number)).map { unsafe "\"\(String(cString: $0))\"" } ?? "\(number)")
        case .malformed(let reason):
            "the peer's bytes are not valid TLS"
                + (Self.reasonText(reason).map { " (\($0))" } ?? "")
        case .timeout: "the TLS handshake took too long"
        case .ours(let reason): "TLS failed here: \(Self.reasonText(reason) ?? "reason \(reason)")"
        }
    }

    private static func reasonText(_ reason: Int) -> String? {
        // ERR_PACK, which is a macro.
        let code = UInt(ERR_LIB_SSL) << 23 | UInt(reason)
        return unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
    }
}
