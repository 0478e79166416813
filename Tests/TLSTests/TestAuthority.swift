// SPDX-License-Identifier: Apache-2.0
// Certificates made by the tests, in memory.

import COpenSSL
import Glibc
import TestSupport
import XCTest

@testable import TLS

/// An authority that issues whatever a test needs.
final class TestAuthority {
    let certificate: Certificate
    let key: PrivateKey

    static let now = time(nil)
    static let rsaKey = PrivateKey(adopting: gw_new_rsa(2048))

    init(_ name: String = "Test CA", issuer: TestAuthority? = nil) throws {
        key = PrivateKey(adopting: try XCTUnwrap(gw_new_p256()))
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
        let key = try key ?? PrivateKey(adopting: XCTUnwrap(gw_new_p256()))
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
        Certificate(
            adopting: CertificateMaker.make(
                subject: subject, key: key.pointer, issuer: issuer?.pointer, issuerKey: issuerKey.pointer, from: from,
                until: until, now: now, extensions: extensions))
    }

    /// A revocation list, as PEM.
    func revocationList(of revoked: [CertificatePair]) throws -> String {
        CertificateMaker.revocationList(
            of: revoked.map(\.leaf.pointer), issuer: certificate.pointer, issuerKey: key.pointer)
    }

    /// An OCSP response about `pair`.
    func response(
        about pair: CertificatePair, status: Int32 = V_OCSP_CERTSTATUS_GOOD, from: Int = -60, until: Int = 3600
    ) throws -> [UInt8] {
        let basic = OCSP_BASICRESP_new()
        defer { OCSP_BASICRESP_free(basic) }
        let id = OCSP_cert_to_id(EVP_sha1(), pair.leaf.pointer, certificate.pointer)
        defer { OCSP_CERTID_free(id) }
        let start = ASN1_TIME_set(nil, Self.now + from)
        let end = ASN1_TIME_set(nil, Self.now + until)
        let revoked = status == V_OCSP_CERTSTATUS_REVOKED ? start : nil
        let generalStart = ASN1_TIME_to_generalizedtime(start, nil)
        let generalEnd = ASN1_TIME_to_generalizedtime(end, nil)
        defer { for time in [start, end, generalStart, generalEnd] { ASN1_STRING_free(time) } }
        XCTAssertNotNil(OCSP_basic_add1_status(basic, id, status, 0, revoked, generalStart, generalEnd))
        XCTAssertEqual(OCSP_basic_sign(basic, certificate.pointer, key.pointer, EVP_sha256(), nil, 0), 1)
        let response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)
        defer { OCSP_RESPONSE_free(response) }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_OCSP_RESPONSE(response, &bytes)
        defer { gw_openssl_free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// Roots with this authority, and revocation lists.
    func trusted(_ folder: Folder, lists: String = "") throws -> TrustedAuthorities {
        try TrustedAuthorities(path: folder.write(certificate.pem + lists))
    }
}

extension Certificate {
    var pem: String { CertificateMaker.pem { PEM_write_bio_X509($0, pointer) } }
}

extension PrivateKey {
    var pem: String { CertificateMaker.pem { PEM_write_bio_PKCS8PrivateKey($0, pointer, nil, nil, 0, nil, nil) } }
    var encryptedPEM: String {
        CertificateMaker.pem { PEM_write_bio_PKCS8PrivateKey($0, pointer, EVP_aes_128_cbc(), "secret", 6, nil, nil) }
    }
}

/// A temporary folder that goes away with its files.
final class Folder {
    let path: String
    private var files: [String] = []

    init() throws {
        var template = Array("/tmp/gateway-tls-XXXXXX".utf8CString)
        path = String(cString: try XCTUnwrap(mkdtemp(&template)))
    }

    deinit {
        for file in files { unlink(file) }
        rmdir(path)
    }

    /// Writes a file (a new one unless named) and returns its path.
    @discardableResult
    func write(_ text: String, to name: String? = nil, mode: mode_t = 0o600) throws -> String {
        try write(Array(text.utf8), to: name, mode: mode)
    }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String? = nil, mode: mode_t = 0o600) throws -> String {
        let file = "\(path)/\(name ?? "file\(files.count).pem")"
        let fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, mode)
        XCTAssertGreaterThanOrEqual(fd, 0)
        defer { close(fd) }
        XCTAssertEqual(Glibc.write(fd, bytes, bytes.count), bytes.count)
        XCTAssertEqual(fchmod(fd, mode), 0)
        if !files.contains(file) { files.append(file) }
        return file
    }
}
