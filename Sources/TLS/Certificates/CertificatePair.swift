// SPDX-License-Identifier: Apache-2.0

import Bytes
import COpenSSL
import Glibc
import Synchronization

/// A certificate with its chain and its key, checked and ready to serve.
///
/// `Sendable` because nothing changes but the staple, which is behind a lock.
public final class CertificatePair: Sendable {
    let leaf: Certificate
    let chain: [Certificate]
    let key: PrivateKey
    /// How sentences call it: the file's path, or what it is.
    public let label: String
    /// The names that it is for, in lower case, wildcards as `*.example.org`, addresses as text.
    public let names: [String]
    /// Seconds since 1970 until which it is valid.
    public let notAfter: Int
    /// What is odd about it, in sentences; none of it keeps it from being used.
    public let warnings: [String]
    /// The OCSP response (DER) that is sent along, and until when.
    let staple = Lock<Staple?>(nil)

    /// An OCSP response to send along.
    struct Staple {
        let der: [UInt8]
        /// Seconds since 1970 after which it must not be sent.
        let notAfter: Int
    }

    init(leaf: Certificate, chain: [Certificate], key: PrivateKey, label: String, warnings: [String]) {
        self.leaf = leaf
        self.chain = chain
        self.key = key
        self.label = label
        self.warnings = warnings
        names = leaf.names
        notAfter = leaf.notAfter
    }

    /// Reads a chain, the server's own certificate first, and the key that belongs to it.
    ///
    /// - Parameters:
    ///   - certificate: Path of a PEM file.
    ///   - key: Path of a PEM file, perhaps the same. Encrypted keys are refused; nobody is asked for a pass phrase.
    ///   - now: Seconds since 1970.
    public static func load(certificate: String, key: String, now: Int) throws(TLSFileProblem) -> CertificatePair {
        let file = try PEMFile(path: certificate)
        var chain = try file.certificates()
        guard !chain.isEmpty else { throw TLSFileProblem("there is no certificate in \(certificate)") }
        let keyFile = key == certificate ? file : try PEMFile(path: key)
        let privateKey = try PrivateKey(in: keyFile)
        let leaf = chain.removeFirst()
        let belongs = unsafe X509_check_private_key(leaf.pointer, privateKey.pointer) == 1
        ERR_clear_error()
        guard belongs else {
            throw TLSFileProblem(
                chain.contains { unsafe X509_check_private_key($0.pointer, privateKey.pointer) == 1 }
                    ? "the first certificate in \(certificate) is not that of the key in \(key): the server's own must come first"
                    : "the key in \(key) does not belong to the certificate in \(certificate)")
        }
        ERR_clear_error()
        return CertificatePair(
            leaf: leaf, chain: chain, key: privateKey, label: certificate,
            warnings: Self.warnings(leaf, chain, path: certificate, now: now))
    }

    private static func warnings(_ leaf: Certificate, _ chain: [Certificate], path: String, now: Int) -> [String] {
        var found: [String] = []
        if leaf.notAfter < now {
            found.append(
                "the certificate in \(path) expired on \(Certificate.date(leaf.notAfter)): clients will refuse it")
        }
        if leaf.notBefore > now {
            found.append("the certificate in \(path) is valid only from \(Certificate.date(leaf.notBefore)) on")
        }
        if leaf.names.isEmpty { found.append("the certificate in \(path) is for no name") }
        let all = [leaf] + chain
        for (index, certificate) in chain.enumerated() where !all[index].isIssued(by: certificate) {
            found.append(
                "the chain in \(path) is out of order: certificate \(index + 2) did not issue certificate \(index + 1)")
            break
        }
        // Those that say where their issuer's certificate can be had were not issued by a root.
        if chain.isEmpty, !leaf.isSelfIssued, unsafe gw_has_ca_issuers(leaf.pointer) == 1 {
            found.append("the chain in \(path) is incomplete: the intermediate certificates should follow the first")
        }
        return found
    }
}
