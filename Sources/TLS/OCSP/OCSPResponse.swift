// SPDX-License-Identifier: Apache-2.0
// OCSP responses (RFC 6960) to send along with a certificate: what is not signed by its issuer, not "good" or not current is
// not sent, because clients that get it end the connection, and those that get none do not.

import Bytes
import COpenSSL
import Glibc
import Synchronization

/// A response that was checked.
struct OCSPResponse {
    let der: [UInt8]
    /// Seconds since 1970.
    let thisUpdate: Int
    /// Seconds since 1970 after which it is stale.
    let nextUpdate: Int

    /// Bytes of a response; real ones have one or two thousand.
    static let sizeLimit = 64 << 10
    /// Seconds for which a response that names no end is taken for current.
    private static let defaultValidity = 86_400
    /// Seconds by which clocks may differ.
    private static let skew = 300

    /// Checks a response for `pair` at `now`, seconds since 1970. `source` is where it came from, for the sentence.
    init(der: [UInt8], for pair: CertificatePair, source: String, now: Int) throws(TLSFileProblem) {
        defer { ERR_clear_error() }
        func problem(_ what: String) -> TLSFileProblem {
            TLSFileProblem("the OCSP response \(source) is not used: \(what)")
        }
        guard let issuer = pair.issuer else {
            throw problem("the issuer's certificate is not in the chain of \(pair.label)")
        }
        let response = unsafe der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var start = buffer.baseAddress
            return unsafe d2i_OCSP_RESPONSE(nil, &start, buffer.count)
        }
        guard let response = unsafe response else { throw problem("it cannot be decoded") }
        defer { unsafe OCSP_RESPONSE_free(response) }
        let status = unsafe OCSP_response_status(response)
        guard status == OCSP_RESPONSE_STATUS_SUCCESSFUL, let basic = unsafe OCSP_response_get1_basic(response) else {
            let text = unsafe OCSP_response_status_str(Int(status)).map { unsafe String(cString: $0) } ?? "\(status)"
            throw problem("the responder answered \"\(text)\"")
        }
        defer { unsafe OCSP_BASICRESP_free(basic) }
        guard unsafe Self.isSigned(basic, by: issuer, now: now) else { throw problem("the issuer did not sign it") }
        guard let found = unsafe Self.find(basic, pair.leaf, issuer) else {
            throw problem("it is for another certificate")
        }
        guard found.status == V_OCSP_CERTSTATUS_GOOD else {
            throw problem(
                found.status == V_OCSP_CERTSTATUS_REVOKED
                    ? "the certificate was revoked" : "the responder does not know the certificate")
        }
        guard found.thisUpdate <= now + Self.skew else {
            throw problem("it is valid only from \(Certificate.date(found.thisUpdate)) on")
        }
        let end = found.nextUpdate ?? found.thisUpdate + Self.defaultValidity
        guard end > now else { throw problem("it was valid only until \(Certificate.date(end))") }
        self.der = der
        thisUpdate = found.thisUpdate
        nextUpdate = end
    }

    private static func isSigned(_ basic: OpaquePointer, by issuer: Certificate, now: Int) -> Bool {
        guard let store = unsafe X509_STORE_new(), let known = unsafe gw_x509_stack() else { return false }
        defer {
            unsafe X509_STORE_free(store)
            unsafe gw_x509_stack_free(known)
        }
        // The issuer, intermediate or root, is all that there is to trust.
        unsafe X509_STORE_add_cert(store, issuer.pointer)
        unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        unsafe X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), now)
        _ = unsafe gw_x509_stack_push(known, issuer.pointer)
        return unsafe OCSP_basic_verify(basic, known, store, 0) == 1
    }

    private static func find(
        _ basic: OpaquePointer, _ leaf: Certificate, _ issuer: Certificate
    ) -> (status: Int32, thisUpdate: Int, nextUpdate: Int?)? {
        for isSHA256 in [false, true] {
            let digest = unsafe isSHA256 ? EVP_sha256() : EVP_sha1()
            guard let id = unsafe OCSP_cert_to_id(digest, leaf.pointer, issuer.pointer) else { continue }
            defer { unsafe OCSP_CERTID_free(id) }
            var status: Int32 = 0
            var reason: Int32 = 0
            var revoked: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
            var from: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
            var until: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
            guard unsafe OCSP_resp_find_status(basic, id, &status, &reason, &revoked, &from, &until) == 1,
                let start = unsafe Certificate.seconds(from)
            else { continue }
            return unsafe (status, start, Certificate.seconds(until))
        }
        return nil
    }

    /// A request for the status of `pair`; nil when its issuer is not known.
    static func request(for pair: CertificatePair) -> [UInt8]? {
        defer { ERR_clear_error() }
        guard let issuer = pair.issuer, let request = unsafe OCSP_REQUEST_new() else { return nil }
        defer { unsafe OCSP_REQUEST_free(request) }
        // SHA-1 is what responders know (RFC 5019 section 2.1.1); it identifies here and secures nothing.
        guard let id = unsafe OCSP_cert_to_id(EVP_sha1(), pair.leaf.pointer, issuer.pointer) else { return nil }
        guard unsafe OCSP_request_add0_id(request, id) != nil else {
            unsafe OCSP_CERTID_free(id)
            return nil
        }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_OCSP_REQUEST(request, &bytes)
        defer { unsafe gw_openssl_free(bytes) }
        return unsafe count > 0 ? Array(UnsafeBufferPointer(start: bytes, count: Int(count))) : nil
    }
}

extension CertificatePair {
    /// The certificate that issued the first one, where the chain has it.
    var issuer: Certificate? { chain.first ?? (leaf.isSelfIssued ? leaf : nil) }

    /// Where the status of the certificate can be asked for, or nil.
    var responder: String? {
        guard let text = unsafe gw_ocsp_responder(leaf.pointer) else { return nil }
        defer { unsafe gw_openssl_free(text) }
        return unsafe String(cString: text)
    }

    /// Sends `response` along from now on.
    func attach(_ response: OCSPResponse) {
        staple.withLock { $0 = Staple(der: response.der, notAfter: response.nextUpdate) }
    }

    /// Reads an OCSP response (DER) and sends it along from now on. When it cannot be used, the one before stays for as long as it is
    /// valid.
    func attachStaple(path: String, now: Int) throws(TLSFileProblem) {
        let bytes = try PEMFile.read(path).bytes
        attach(try OCSPResponse(der: bytes, for: self, source: "in \(path)", now: now))
    }
}
