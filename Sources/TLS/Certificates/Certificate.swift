// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Glibc

/// One X.509 certificate.
///
/// `@unchecked Sendable` is safe because nothing changes the certificate after it was decoded, and what OpenSSL works out later
/// (its extensions) it does under a lock of its own.
///
/// `@safe` because it owns one reference to the certificate until its end.
@safe final class Certificate: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes ownership of one reference.
    init(adopting pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }

    /// Decodes DER; nil when it is none.
    convenience init?(der: [UInt8]) {
        let decoded = unsafe der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var start = buffer.baseAddress
            return unsafe d2i_X509(nil, &start, buffer.count)
        }
        guard let decoded = unsafe decoded else {
            ERR_clear_error()
            return nil
        }
        unsafe self.init(adopting: decoded)
    }

    deinit { unsafe X509_free(pointer) }

    /// Seconds since 1970 from which on it is valid.
    var notBefore: Int { unsafe Self.seconds(X509_get0_notBefore(pointer)) ?? .max }
    /// Seconds since 1970 until which it is valid.
    var notAfter: Int { unsafe Self.seconds(X509_get0_notAfter(pointer)) ?? 0 }
    /// The subject on one line.
    var subject: String { unsafe DistinguishedName.text(X509_get_subject_name(pointer)) }
    /// Whether it names itself as issuer.
    var isSelfIssued: Bool {
        unsafe X509_NAME_cmp(X509_get_subject_name(pointer), X509_get_issuer_name(pointer)) == 0
    }
    /// The names that it is for.
    var names: [String] { unsafe CertificateNames.of(pointer, ownSubject: true) }

    /// Whether `issuer` issued this, as far as names and key identifiers tell.
    func isIssued(by issuer: Certificate) -> Bool {
        let result = unsafe X509_check_issued(issuer.pointer, pointer)
        ERR_clear_error()
        return result == X509_V_OK
    }

    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int? {
        var parts = unsafe tm()
        guard let time = unsafe time, unsafe ASN1_TIME_to_tm(time, &parts) == 1 else {
            ERR_clear_error()
            return nil
        }
        return unsafe timegm(&parts)
    }

    /// A date as people read it: `2026-01-02`, in UTC.
    static func date(_ seconds: Int) -> String {
        var parts = unsafe tm()
        var time = time_t(seconds)
        guard unsafe gmtime_r(&time, &parts) != nil else { return "an unknown date" }
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return unsafe "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    }
}

/// A distinguished name as text.
enum DistinguishedName {
    /// Bytes of a name. A longer one is not cut, because what is left could be another's.
    static let limit = 1024

    /// RFC 2253, printable ASCII only: OpenSSL escapes everything else, so that the text can stand in a field or a line of a log
    /// and never ends either. Nil when it is too long.
    static func bytes(_ name: OpaquePointer?) -> [UInt8]? {
        guard let name = unsafe name, let bio = unsafe BIO_new(BIO_s_mem()) else { return [] }
        defer { unsafe BIO_free(bio) }
        guard unsafe X509_NAME_print_ex(bio, name, 0, gw_name_flags) >= 0 else {
            ERR_clear_error()
            return nil
        }
        var start: UnsafeMutablePointer<CChar>?
        let count = unsafe gw_bio_memory(bio, &start)
        guard count <= limit else { return nil }
        return unsafe UnsafeRawBufferPointer(start: start, count: count).map { $0 > 0x1F && $0 < 0x7F ? $0 : 0x3F }
    }

    /// The same for a sentence.
    static func text(_ name: OpaquePointer?) -> String {
        unsafe bytes(name).map { String(decoding: $0, as: UTF8.self) } ?? "a name of more than \(limit) bytes"
    }
}
