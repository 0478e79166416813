// SPDX-License-Identifier: Apache-2.0
// What was wrong with a certificate, with its names and dates. OpenSSL forgets a certificate that it refuses, so this is noted
// while it verifies.

import COpenSSL
import Glibc

enum VerificationDetail {
    /// Names of a certificate that a sentence lists.
    private static let namesListed = 5

    /// Freed with the SSL that it belongs to.
    private static let index = unsafe gw_ssl_index { _, text, _, _, _, _ in unsafe free(text) }

    /// The note of a failed verification, empty when there is none.
    static func of(_ ssl: OpaquePointer) -> String {
        unsafe SSL_get_ex_data(ssl, index).map { unsafe String(cString: $0.assumingMemoryBound(to: CChar.self)) } ?? ""
    }

    /// For `SSL_CTX_set_verify`: changes nothing of the outcome.
    static let note: @convention(c) (Int32, OpaquePointer?) -> Int32 = { isGood, verification in
        if isGood == 1 { return 1 }
        guard let slot = unsafe X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()) else {
            return 0
        }
        let ssl = OpaquePointer(slot)
        unsafe free(SSL_get_ex_data(ssl, index))
        let text = unsafe sentence(
            code: X509_STORE_CTX_get_error(verification), certificate: X509_STORE_CTX_get_current_cert(verification),
            depth: X509_STORE_CTX_get_error_depth(verification), ssl: ssl)
        unsafe SSL_set_ex_data(ssl, index, text.isEmpty ? nil : strdup(text))
        return 0
    }

    private static func sentence(code: Int32, certificate: OpaquePointer?, depth: Int32, ssl: OpaquePointer) -> String {
        guard let certificate = unsafe certificate else { return "" }
        let subject = unsafe DistinguishedName.text(X509_get_subject_name(certificate))
        let issuer = unsafe DistinguishedName.text(X509_get_issuer_name(certificate))
        let which = depth == 0 ? "it" : "that of its issuer \(subject)"
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return unsafe "\(which) expired on \(date(X509_get0_notAfter(certificate)))"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return unsafe "\(which) is valid only from \(date(X509_get0_notBefore(certificate))) on"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "it is self-signed (\(subject))"
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return "its issuer is not trusted here (\(subject))"
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "its issuer is not known here (\(issuer)), or an intermediate certificate was not sent"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            let names = unsafe CertificateNames.of(certificate, ownSubject: false)
            let listed = names.prefix(namesListed).joined(separator: ", ") + (names.count > namesListed ? ", …" : "")
            return unsafe "it is for \(names.isEmpty ? "no name" : listed), not for \(expected(ssl))"
        case X509_V_ERR_CERT_REVOKED: return "\(which) was revoked by its issuer (\(issuer))"
        case X509_V_ERR_UNABLE_TO_GET_CRL: return "there is no revocation list of its issuer (\(issuer))"
        case X509_V_ERR_CRL_HAS_EXPIRED: return "the revocation list of its issuer is out of date (\(issuer))"
        case X509_V_ERR_INVALID_PURPOSE: return "\(which) may not be used for this purpose"
        default: return ""
        }
    }

    private static func date(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        unsafe Certificate.seconds(time).map { Certificate.date($0) } ?? "an unknown date"
    }

    private static func expected(_ ssl: OpaquePointer) -> String {
        let parameters = unsafe SSL_get0_param(ssl)
        if let host = unsafe X509_VERIFY_PARAM_get0_host(parameters, 0) { return unsafe String(cString: host) }
        guard let address = unsafe X509_VERIFY_PARAM_get1_ip_asc(parameters) else { return "this server" }
        defer { unsafe gw_openssl_free(address) }
        return unsafe String(cString: address)
    }
}
