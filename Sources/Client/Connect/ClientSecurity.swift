// SPDX-License-Identifier: Apache-2.0
import Glibc
import TLS

/// How connections are secured.
public struct ClientSecurity: Sendable {
    let tls: ClientTLS

    /// - Parameters:
    ///   - authorities: A file of root certificates instead of the system's, or nil.
    ///   - certificate: A file with the client's own certificate, or nil.
    ///   - key: A file with its key; nil when that is in the same file.
    ///   - verifies: False takes whatever certificate the server shows.
    public init(
        authorities: String? = nil, certificate: String? = nil, key: String? = nil, verifies: Bool = true
    ) throws(ClientFailure) {
        var policy = ClientTLS.Policy(verifies: verifies)
        // curl's statuses: 77 for a file of authorities that cannot be read, 58 for one's own certificate.
        do throws(TLSFileProblem) {
            policy.authorities = try authorities.map { path throws(TLSFileProblem) in try TrustedAuthorities(path: path)
            }
        } catch {
            throw ClientFailure(77, error.sentence)
        }
        do throws(TLSFileProblem) {
            if let certificate {
                policy.certificate = try CertificatePair.load(
                    certificate: certificate, key: key ?? certificate, now: time(nil))
            }
            tls = try ClientTLS(policy: policy)
        } catch {
            throw ClientFailure(58, error.sentence)
        }
    }
}
