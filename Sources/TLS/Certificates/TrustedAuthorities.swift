// SPDX-License-Identifier: Apache-2.0
// Whom to believe: the certificates of authorities and, where the file has any, their revocation lists. A file that cannot be
// read is an error and never an empty list: what would be open for everybody or for nobody must not come from a typing error.

import COpenSSL
import Glibc

/// The roots of trust for one purpose.
///
/// `@unchecked Sendable` is safe because nothing changes the store after it was filled; OpenSSL reads it under a lock.
///
/// `@safe` because it owns a reference to the store from its initialiser to its end.
@safe public final class TrustedAuthorities: @unchecked Sendable {
    let store: OpaquePointer
    let certificates: [Certificate]
    /// What they were made from, for the identity of a policy.
    let content: [UInt8]
    /// Whether they came with revocation lists, which switches the checking on.
    public let checksRevocation: Bool

    /// Certificates that a peer's chain may have between its own and a root.
    private static let depthLimit: Int32 = 5

    /// Reads certificates and revocation lists from a PEM file.
    public init(path: String) throws(TLSFileProblem) {
        let file = try PEMFile(path: path)
        certificates = try file.certificates()
        guard !certificates.isEmpty else { throw TLSFileProblem("there is no certificate in \(path)") }
        guard let store = unsafe X509_STORE_new() else { throw TLSFileProblem("there is no memory for \(path)") }
        unsafe self.store = unsafe store
        content = file.entries.reduce(into: []) { $0 += $1.der }
        checksRevocation = file.entries.contains { $0.label == "X509 CRL" }
        for certificate in certificates { unsafe X509_STORE_add_cert(store, certificate.pointer) }
        var number = 0
        for entry in file.entries where entry.label == "X509 CRL" {
            number += 1
            let list = unsafe entry.der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
                var start = buffer.baseAddress
                return unsafe d2i_X509_CRL(nil, &start, buffer.count)
            }
            guard let list = unsafe list, unsafe X509_STORE_add_crl(store, list) == 1 else {
                ERR_clear_error()
                throw TLSFileProblem("\(path) is damaged: revocation list \(number) in it cannot be decoded")
            }
            unsafe X509_CRL_free(list)
        }
        unsafe Self.restrict(store, checksRevocation: checksRevocation)
        ERR_clear_error()
    }

    /// The roots that this system trusts.
    public init(systemRoots: Void) throws(TLSFileProblem) {
        guard let store = unsafe X509_STORE_new(), unsafe X509_STORE_set_default_paths(store) == 1 else {
            throw TLSFileProblem("the system's certificates cannot be read")
        }
        unsafe self.store = unsafe store
        certificates = []
        content = []
        checksRevocation = false
        unsafe Self.restrict(store, checksRevocation: false)
        ERR_clear_error()
    }

    private static func restrict(_ store: OpaquePointer, checksRevocation: Bool) {
        unsafe X509_STORE_set_depth(store, depthLimit)
        if checksRevocation {
            unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
        }
    }

    deinit { unsafe X509_STORE_free(store) }
}
