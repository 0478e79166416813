// SPDX-License-Identifier: Apache-2.0
import Glibc
import Settings
import TLS

/// The TLS listeners' side of a configuration: policy and certificates, kept up to date.
final class TLSCertificates {
    let server: ServerTLS
    private let report: @Sendable (String) -> Void

    init(_ settings: Configuration.TLS, report: @escaping @Sendable (String) -> Void) throws(StartFailure) {
        self.report = report
        do throws(TLSFileProblem) {
            var pairs: [CertificatePair] = []
            let now = time(nil)
            for pair in settings.certificates {
                let loaded = try CertificatePair.load(certificate: pair.certificate, key: pair.key, now: now)
                for warning in loaded.warnings { report(warning) }
                pairs.append(loaded)
            }
            if pairs.isEmpty {
                let made = try CertificatePair.selfSigned(now: now)
                report("made a certificate of its own for \(made.names.joined(separator: ", "))")
                pairs = [made]
            }
            guard let set = CertificateSet(pairs) else { throw TLSFileProblem("no certificates") }
            server = try ServerTLS(policy: ServerTLS.Policy(), certificates: set, tickets: TicketKeys(now: now))
        } catch {
            throw StartFailure(error.sentence)
        }
    }

    func watch() {}
    func reload() {}
}
