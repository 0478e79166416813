// SPDX-License-Identifier: Apache-2.0
// Certificates of the file.

import Yams

extension FileReader {
    /// The part of the group `tls` that is not a single value of the table.
    static let certificates = "certificates"

    mutating func readCertificates(_ node: Node) {
        let label = "tls.\(Self.certificates)"
        var seen: [String: Int] = [:]
        for element in list(node) {
            guard let pair = certificate(element, label: label) else { continue }
            if let line = seen[pair.certificate] {
                report(element, label, "\(quoted(pair.certificate)) is given twice; the first time in line \(line)")
                continue
            }
            seen[pair.certificate] = Self.line(element)
            draft.configuration.tls.certificates.append(pair)
        }
    }

    private mutating func certificate(_ node: Node, label: String) -> Configuration.TLS.CertificatePair? {
        var certificate: String?
        var key: String?
        var ocsp: String?
        let before = problems.count
        let entries = mapping(node, label: label, known: ["cert", "key", "ocsp"])
        for entry in entries {
            guard let text = scalar(entry, in: label) else { continue }
            attempt(entry.value, "\(label).\(entry.key)") { _ throws(Refusal) in
                let path = try Setting.path(text)
                switch entry.key {
                case "cert": certificate = path
                case "key": key = path
                default: ocsp = path
                }
            }
        }
        // Another mistake of this element, such as an unknown key, may be why there is none.
        guard problems.count == before else { return nil }
        guard let certificate else {
            report(node, label, "an element needs a cert, the path of a certificate's file")
            return nil
        }
        return Configuration.TLS.CertificatePair(certificate: certificate, key: key ?? certificate, ocsp: ocsp)
    }
}
