// SPDX-License-Identifier: Apache-2.0
// A certificate for trying things out, made in memory when none was given. Nobody has a reason to trust it.

import COpenSSL
import Glibc

extension CertificatePair {
    private static let selfSignedDays = 90

    /// A self-signed P-256 certificate for `localhost`, the loopback addresses and this host's names, valid for 90 days.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Throws: When OpenSSL fails, which it does without memory or randomness.
    public static func selfSigned(now: Int, hostName: String? = nil) throws(TLSFileProblem) -> CertificatePair {
        defer { ERR_clear_error() }
        let problem = TLSFileProblem("a self-signed certificate could not be made")
        guard let keyPointer = unsafe gw_new_p256() else { throw problem }
        let key = unsafe PrivateKey(adopting: keyPointer)
        guard let pointer = unsafe X509_new() else { throw problem }
        let certificate = unsafe Certificate(adopting: pointer)
        let names = ["localhost"] + hostNames(hostName ?? Self.hostName())
        let alternatives = (names.map { "DNS:\($0)" } + ["IP:127.0.0.1", "IP:::1"]).joined(separator: ",")
        var serial = [UInt8](repeating: 0, count: 16)
        guard unsafe RAND_bytes(&serial, 16) == 1 else { throw problem }
        // A positive number of the same length always (RFC 5280 section 4.1.2.2).
        serial[0] = serial[0] & 0x7F | 0x40
        let number = unsafe BN_bin2bn(serial, 16, nil)
        defer { unsafe BN_free(number) }
        let subject = unsafe X509_get_subject_name(pointer)
        // Clocks differ, so it is valid from an hour ago.
        guard unsafe X509_set_version(pointer, 2) == 1,
            unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil,
            unsafe ASN1_TIME_set(X509_getm_notBefore(pointer), now - 3600) != nil,
            unsafe ASN1_TIME_set(X509_getm_notAfter(pointer), now + selfSignedDays * 86_400) != nil,
            unsafe X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, "localhost", -1, -1, 0) == 1,
            unsafe X509_set_issuer_name(pointer, subject) == 1, unsafe X509_set_pubkey(pointer, keyPointer) == 1,
            unsafe gw_add_extension(pointer, pointer, NID_basic_constraints, "critical,CA:FALSE") == 1,
            unsafe gw_add_extension(pointer, pointer, NID_key_usage, "critical,digitalSignature") == 1,
            unsafe gw_add_extension(pointer, pointer, NID_ext_key_usage, "serverAuth") == 1,
            unsafe gw_add_extension(pointer, pointer, NID_subject_alt_name, alternatives) == 1,
            unsafe X509_sign(pointer, keyPointer, EVP_sha256()) > 0
        else { throw problem }
        return CertificatePair(
            leaf: certificate, chain: [], key: key, label: "the self-signed certificate", warnings: [])
    }

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A host's name and its first label, if they can stand in a certificate.
    private static func hostNames(_ name: String) -> [String] {
        guard let full = CertificateNames.dnsName(name.utf8), !full.hasPrefix("*"), full != "localhost" else {
            return []
        }
        let short = String(full.prefix { $0 != "." })
        return short == full || short.isEmpty ? [full] : [full, short]
    }
}
