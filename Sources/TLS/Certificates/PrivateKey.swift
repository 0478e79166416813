// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Glibc

/// A private key.
///
/// `@unchecked Sendable` is safe because nothing changes the key after it was decoded; OpenSSL signs with it from any thread.
///
/// `@safe` because it owns one reference to the key until its end.
@safe final class PrivateKey: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes ownership of one reference.
    init(adopting pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }

    deinit { unsafe EVP_PKEY_free(pointer) }

    /// The kinds of which one each can serve the same name.
    enum Kind: String, Sendable { case ecdsa = "ECDSA", rsa = "RSA", other = "EdDSA" }

    var kind: Kind { unsafe Self.kind(of: pointer) }

    static func kind(of key: OpaquePointer?) -> Kind {
        switch unsafe EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_RSA, EVP_PKEY_RSA_PSS: .rsa
        case EVP_PKEY_EC: .ecdsa
        default: .other
        }
    }

    /// Security in bits (NIST SP 800-57) below which a key is refused: RSA with 2048 bits has 112.
    private static let leastSecurity: Int32 = 112

    /// Finds the first key in `file` and checks it, and who may read it.
    init(in file: PEMFile) throws(TLSFileProblem) {
        let labels = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
        guard let entry = file.entries.first(where: { labels.contains($0.label) }) else {
            throw TLSFileProblem("there is no private key in \(file.path)")
        }
        guard !entry.isEncrypted, entry.label != "ENCRYPTED PRIVATE KEY" else {
            throw TLSFileProblem(
                "the key in \(file.path) is encrypted: decrypt it first, for example with openssl pkey")
        }
        try Self.checkPermissions(path: file.path, owner: file.owner, mode: file.mode)
        let decoded = unsafe entry.der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var start = buffer.baseAddress
            return unsafe d2i_AutoPrivateKey(nil, &start, buffer.count)
        }
        ERR_clear_error()
        guard let decoded = unsafe decoded else { throw TLSFileProblem("the key in \(file.path) cannot be decoded") }
        unsafe pointer = unsafe decoded
        let bits = unsafe EVP_PKEY_get_bits(decoded)
        guard unsafe EVP_PKEY_get_security_bits(decoded) >= Self.leastSecurity else {
            let isRSA = kind == .rsa
            throw TLSFileProblem(
                "the key in \(file.path) is too short: \(bits) bits, and at least \(isRSA ? 2048 : 224) are required")
        }
    }

    /// PostgreSQL's rule: nobody but its owner, and perhaps a group, may read a key; nobody but its owner may write it.
    static func checkPermissions(
        path: String, owner: uid_t, mode: mode_t, user: uid_t = geteuid()
    ) throws(TLSFileProblem) {
        guard owner == 0 || owner == user || user == 0 else {
            throw TLSFileProblem("the key in \(path) belongs to another user: it must be owned by root or by this one")
        }
        guard mode & 0o027 == 0 else {
            throw TLSFileProblem(
                "the key in \(path) can be read by others or changed by its group: use chmod 600 \(path), or 640")
        }
    }
}
