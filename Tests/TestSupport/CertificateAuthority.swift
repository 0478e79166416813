// SPDX-License-Identifier: Apache-2.0
// Certificates made by the tests, in memory, with OpenSSL's own functions and none of ours.

import COpenSSL
import Glibc

/// Makes certificates, as pointers that their owner frees.
public enum CertificateMaker {
    /// A signed X.509 certificate; `from` and `until` are seconds from `now`, by default the present.
    public static func make(
        subject: String, key: OpaquePointer, issuer: OpaquePointer?, issuerKey: OpaquePointer, from: Int, until: Int,
        now: Int? = nil, extensions: [(Int32, String)]
    ) -> OpaquePointer {
        guard let made = unsafe X509_new() else { preconditionFailure("no memory for a certificate") }
        let now = now ?? time(nil)
        unsafe X509_set_version(made, 2)
        unsafe ASN1_INTEGER_set(X509_get_serialNumber(made), Int.random(in: 1...(1 << 60)))
        unsafe ASN1_TIME_set(X509_getm_notBefore(made), now + from)
        unsafe ASN1_TIME_set(X509_getm_notAfter(made), now + until)
        let name = unsafe X509_get_subject_name(made)
        unsafe X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, subject, -1, -1, 0)
        unsafe X509_set_issuer_name(made, issuer.map { unsafe X509_get_subject_name($0) } ?? name)
        unsafe X509_set_pubkey(made, key)
        for (kind, text) in extensions {
            unsafe precondition(gw_add_extension(made, issuer ?? made, kind, text) == 1, "no such extension: \(text)")
        }
        unsafe precondition(X509_sign(made, issuerKey, EVP_sha256()) > 0, "cannot sign")
        return unsafe made
    }

    /// A list of revoked certificates, valid from a minute ago for a day, as PEM.
    public static func revocationList(
        of revoked: [OpaquePointer], issuer: OpaquePointer, issuerKey: OpaquePointer
    ) -> String {
        let list = unsafe X509_CRL_new()
        defer { unsafe X509_CRL_free(list) }
        unsafe X509_CRL_set_version(list, 1)
        unsafe X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer))
        let start = unsafe X509_gmtime_adj(nil, -60)
        let end = unsafe X509_gmtime_adj(nil, 86_400)
        defer {
            unsafe ASN1_TIME_free(start)
            unsafe ASN1_TIME_free(end)
        }
        unsafe X509_CRL_set1_lastUpdate(list, start)
        unsafe X509_CRL_set1_nextUpdate(list, end)
        for index in unsafe revoked.indices {
            let certificate = unsafe revoked[index]
            let entry = unsafe X509_REVOKED_new()
            unsafe X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate))
            unsafe X509_REVOKED_set_revocationDate(entry, start)
            unsafe X509_CRL_add0_revoked(list, entry)
        }
        unsafe X509_CRL_sign(list, issuerKey, EVP_sha256())
        return unsafe pem { unsafe PEM_write_bio_X509_CRL($0, list) }
    }

    /// What `write` writes to a BIO, as text.
    public static func pem(_ write: (OpaquePointer?) -> Int32) -> String {
        let bio = unsafe BIO_new(BIO_s_mem())
        defer { unsafe BIO_free(bio) }
        unsafe precondition(write(bio) == 1, "cannot be written as PEM")
        var start: UnsafeMutablePointer<CChar>?
        let count = unsafe gw_bio_memory(bio, &start)
        return unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
}

/// A certificate with its key.
///
/// `@unchecked Sendable` is safe because nothing changes either after it was made.
///
/// `@safe` because it owns both pointers until its end.
@safe public final class TestCertificate: @unchecked Sendable {
    let certificate: OpaquePointer
    let key: OpaquePointer

    /// Takes ownership of both.
    init(adopting certificate: OpaquePointer, key: OpaquePointer) {
        unsafe self.certificate = unsafe certificate
        unsafe self.key = unsafe key
    }

    deinit {
        unsafe X509_free(certificate)
        unsafe EVP_PKEY_free(key)
    }

    /// The certificate.
    public var certificatePEM: String { unsafe CertificateMaker.pem { unsafe PEM_write_bio_X509($0, certificate) } }
    /// The key, not encrypted.
    public var keyPEM: String {
        unsafe CertificateMaker.pem { unsafe PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) }
    }
    /// Both.
    public var pem: String { certificatePEM + keyPEM }
    /// What tells it from others.
    public var serial: Int { unsafe ASN1_INTEGER_get(X509_get_serialNumber(certificate)) }

    /// One that is its own issuer, for these names.
    public static func selfSigned(_ names: [String] = ["localhost", "127.0.0.1"]) -> TestCertificate {
        let key = unsafe newKey()
        let made = unsafe CertificateMaker.make(
            subject: names.first ?? "nobody", key: key, issuer: nil, issuerKey: key, from: -3600, until: 86_400,
            extensions: [(NID_subject_alt_name, alternatives(names))])
        return unsafe TestCertificate(adopting: made, key: key)
    }

    fileprivate static func newKey() -> OpaquePointer {
        guard let key = unsafe gw_new_p256() else { preconditionFailure("no memory for a key") }
        return unsafe key
    }

    fileprivate static func alternatives(_ names: [String]) -> String {
        names.map {
            $0.contains(":") || $0.allSatisfy { $0.isNumber || $0 == "." } ? "IP:\($0)" : "DNS:\($0)"
        }.joined(separator: ",")
    }
}

/// An authority that issues whatever a test needs.
public final class CertificateAuthority: Sendable {
    /// Its own, self-signed.
    public let own: TestCertificate

    /// A new one with a new key.
    public init(_ name: String = "Test CA") {
        let key = unsafe TestCertificate.newKey()
        let made = unsafe CertificateMaker.make(
            subject: name, key: key, issuer: nil, issuerKey: key, from: -86_400, until: 86_400 * 365,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE"),
                (NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature"),
            ])
        own = unsafe TestCertificate(adopting: made, key: key)
    }

    /// A certificate for `names` (or addresses), with a key of its own; `from` and `until` are seconds from now.
    public func issue(
        _ names: [String] = ["localhost", "127.0.0.1"], subject: String? = nil, from: Int = -3600,
        until: Int = 86_400 * 30, usage: String = "serverAuth"
    ) -> TestCertificate {
        let key = unsafe TestCertificate.newKey()
        var extensions: [(Int32, String)] = [
            (NID_basic_constraints, "critical,CA:FALSE"), (NID_ext_key_usage, usage),
        ]
        if !names.isEmpty { extensions.append((NID_subject_alt_name, TestCertificate.alternatives(names))) }
        let made = unsafe CertificateMaker.make(
            subject: subject ?? names.first ?? "nobody", key: key, issuer: own.certificate, issuerKey: own.key,
            from: from, until: until, extensions: extensions)
        return unsafe TestCertificate(adopting: made, key: key)
    }

    /// The authority's certificate, as a file of roots.
    public var pem: String { own.certificatePEM }

    /// A list that revokes these, as PEM.
    public func revocationList(of revoked: [TestCertificate]) -> String {
        unsafe CertificateMaker.revocationList(
            of: revoked.map(unsafe \.certificate), issuer: unsafe own.certificate, issuerKey: unsafe own.key)
    }
}
