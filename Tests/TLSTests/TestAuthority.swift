// SPDX-License-Identifier: Apache-2.0
// Certificates made by the tests, in memory.

import COpenSSL
import Glibc
import TestSupport
import Testing

@testable import TLS

/// An authority that issues whatever a test needs.
final class TestAuthority {
    let certificate: Certificate
    let key: PrivateKey

    static let now = time(nil)
    static let rsaKey = unsafe PrivateKey(adopting: gw_new_rsa(2048))

    init(_ name: String = "Test CA", issuer: TestAuthority? = nil) throws {
        key = unsafe PrivateKey(adopting: try #require(gw_new_p256()))
        certificate = Self.make(
            subject: name, key: key, issuer: issuer?.certificate, issuerKey: issuer?.key ?? key, from: -86_400,
            until: 86_400 * 365,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE"),
                (NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature"),
            ])
    }

    /// A certificate for `names` (or addresses) with the validity given in seconds from now.
    func issue(
        _ names: [String], subject: String? = nil, key: PrivateKey? = nil, from: Int = -3600, until: Int = 86_400 * 30,
        usage: String = "serverAuth", chain: [Certificate] = [], responder: String? = nil
    ) throws -> CertificatePair {
        let key = try unsafe key ?? PrivateKey(adopting: #require(gw_new_p256()))
        var extensions: [(Int32, String)] = [
            (NID_basic_constraints, "critical,CA:FALSE"), (NID_ext_key_usage, usage),
        ]
        if !names.isEmpty {
            let text = names.map {
                $0.contains(":") || $0.allSatisfy { $0.isNumber || $0 == "." } ? "IP:\($0)" : "DNS:\($0)"
            }
            extensions.append((NID_subject_alt_name, text.joined(separator: ",")))
        }
        if let responder { extensions.append((NID_info_access, "OCSP;URI:\(responder)")) }
        let leaf = Self.make(
            subject: subject ?? names.first ?? "nobody", key: key, issuer: certificate, issuerKey: self.key, from: from,
            until: until, extensions: extensions)
        return CertificatePair(leaf: leaf, chain: chain, key: key, label: names.first ?? "test", warnings: [])
    }

    private static func make(
        subject: String, key: PrivateKey, issuer: Certificate?, issuerKey: PrivateKey, from: Int, until: Int,
        extensions: [(Int32, String)]
    ) -> Certificate {
        unsafe Certificate(
            adopting: CertificateMaker.make(
                subject: subject, key: key.pointer, issuer: issuer?.pointer, issuerKey: issuerKey.pointer, from: from,
                until: until, now: now, extensions: extensions))
    }

    /// A revocation list, as PEM.
    func revocationList(of revoked: [CertificatePair]) throws -> String {
        unsafe CertificateMaker.revocationList(
            of: revoked.map(unsafe \.leaf.pointer), issuer: unsafe certificate.pointer, issuerKey: unsafe key.pointer)
    }

    /// An OCSP response about `pair`.
    func response(
        about pair: CertificatePair, status: Int32 = V_OCSP_CERTSTATUS_GOOD, from: Int = -60, until: Int = 3600
    ) throws -> [UInt8] {
        let basic = unsafe OCSP_BASICRESP_new()
        defer { unsafe OCSP_BASICRESP_free(basic) }
        let id = unsafe OCSP_cert_to_id(EVP_sha1(), pair.leaf.pointer, certificate.pointer)
        defer { unsafe OCSP_CERTID_free(id) }
        let start = unsafe ASN1_TIME_set(nil, Self.now + from)
        let end = unsafe ASN1_TIME_set(nil, Self.now + until)
        let revoked = unsafe status == V_OCSP_CERTSTATUS_REVOKED ? start : nil
        let generalStart = unsafe ASN1_TIME_to_generalizedtime(start, nil)
        let generalEnd = unsafe ASN1_TIME_to_generalizedtime(end, nil)
        defer { unsafe [start, end, generalStart, generalEnd].forEach { unsafe ASN1_STRING_free($0) } }
        unsafe #expect(OCSP_basic_add1_status(basic, id, status, 0, revoked, generalStart, generalEnd) != nil)
        unsafe #expect(OCSP_basic_sign(basic, certificate.pointer, key.pointer, EVP_sha256(), nil, 0) == 1)
        let response = unsafe OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)
        defer { unsafe OCSP_RESPONSE_free(response) }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_OCSP_RESPONSE(response, &bytes)
        defer { unsafe gw_openssl_free(bytes) }
        return unsafe Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// Roots with this authority, and revocation lists.
    func trusted(_ folder: TemporaryFolder, lists: String = "") throws -> TrustedAuthorities {
        try TrustedAuthorities(path: folder.write(certificate.pem + lists))
    }
}

extension Certificate {
    var pem: String { unsafe CertificateMaker.pem { unsafe PEM_write_bio_X509($0, pointer) } }
}

extension PrivateKey {
    var pem: String {
        unsafe CertificateMaker.pem { unsafe PEM_write_bio_PKCS8PrivateKey($0, pointer, nil, nil, 0, nil, nil) }
    }
    var encryptedPEM: String {
        unsafe CertificateMaker.pem {
            unsafe PEM_write_bio_PKCS8PrivateKey($0, pointer, EVP_aes_128_cbc(), "secret", 6, nil, nil)
        }
    }
}
