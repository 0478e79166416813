// SPDX-License-Identifier: Apache-2.0
// The names that a certificate is for: those of subjectAltName (RFC 9525). Only for our own certificates, which some still make
// without any, the common name is looked at: to choose among them, never to believe one.

import COpenSSL
import Glibc

/// Reads and writes the names of certificates.
enum CertificateNames {
    /// In lower case; addresses as text; wildcards only where they may stand (`*.` and a name of two labels or more).
    ///
    /// - Parameter ownSubject: Whether the common name is taken where there is no other.
    static func of(_ certificate: OpaquePointer, ownSubject: Bool) -> [String] {
        var found: [String] = []
        var hasAlternatives = false
        if let names = unsafe gw_alternative_names(certificate) {
            defer { unsafe gw_names_free(names) }
            for index in unsafe 0..<gw_names_count(names) {
                var bytes: UnsafePointer<UInt8>?
                var count: Int32 = 0
                let kind = unsafe gw_name_at(names, index, &bytes, &count)
                guard kind == GEN_DNS || kind == GEN_IPADD else { continue }
                hasAlternatives = true
                let value = unsafe UnsafeBufferPointer(start: bytes, count: Int(count))
                if let name = unsafe kind == GEN_DNS ? dnsName(value) : address(value), !found.contains(name) {
                    found.append(name)
                }
            }
        }
        ERR_clear_error()
        guard !hasAlternatives, ownSubject else { return found }
        return unsafe commonName(certificate).map { [$0] } ?? []
    }

    private static func commonName(_ certificate: OpaquePointer) -> String? {
        let subject = unsafe X509_get_subject_name(certificate)
        let index = unsafe X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        guard index >= 0, let data = unsafe X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)) else {
            return nil
        }
        let bytes = unsafe UnsafeBufferPointer(start: ASN1_STRING_get0_data(data), count: Int(ASN1_STRING_length(data)))
        let text = unsafe String(decoding: bytes, as: UTF8.self)
        var v4 = in_addr()
        return unsafe inet_pton(AF_INET, text, &v4) == 1 ? text : dnsName(bytes)
    }

    /// A host name in lower case, or nil for what is none: a NUL, a blank, a wildcard that is not the whole first label.
    static func dnsName(_ bytes: some Collection<UInt8>) -> String? {
        guard bytes.count > 0, bytes.count <= 253 else { return nil }
        var name: [UInt8] = bytes.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
        let isWildcard = name.starts(with: [0x2A, 0x2E])
        let labels = isWildcard ? name.dropFirst(2) : name[...]
        for byte in labels {
            switch byte {
            case 0x61...0x7A, 0x30...0x39, 0x2D, 0x2E, 0x5F: break
            default: return nil
            }
        }
        if isWildcard, !labels.dropLast().contains(0x2E) { return nil }
        if name.last == 0x2E { name.removeLast() }
        return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
    }

    /// An address of 4 or 16 bytes as text.
    static func address(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard unsafe inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
