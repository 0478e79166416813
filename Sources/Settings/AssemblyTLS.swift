// SPDX-License-Identifier: Apache-2.0
// What `--cert` and `--key` make of the file's certificates, and the settings of TLS that need each other. What was given
// wrongly has been told; it is not told again as missing.

extension Assembly {
    static func finishTLS(_ draft: inout Draft) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        if let problem = finishCertificates(&draft) { problems.append(problem) }
        let tls = draft.configuration.tls
        if let source = draft.sources["client-cert"], tls.clientCA == nil, !draft.refused.contains("client-ca") {
            let message =
                "tls.client_certificate: clients are asked for certificates only when there are roots to check them with; "
                + "give tls.client_ca (--client-ca) too"
            problems.append(SettingsProblem(source: source, message: message))
        }
        let upstream = draft.configuration.upstreamTLS
        if upstream.key != nil, upstream.certificate == nil, !draft.refused.contains("upstream-cert") {
            let message =
                "upstream_tls.key: a key without its certificate; give upstream_tls.cert (--upstream-cert) too"
            problems.append(SettingsProblem(source: draft.sources["upstream-key"] ?? .flag(""), message: message))
        }
        let hasListener = draft.configuration.listeners.contains(where: \.isTLS)
        if !hasListener && draft.refused.isDisjoint(with: ["listeners", "tls-port"]) {
            let remedy = "add --tls-port N, or tls: true to a listener of the file"
            if tls.redirectsPlain {
                let message = "tls.redirect: there is no TLS listener to redirect to; \(remedy)"
                problems.append(
                    SettingsProblem(source: draft.sources["https-redirect"] ?? .flag(""), message: message))
            }
            if tls.hstsSeconds > 0 {
                let message = "tls.hsts: there is no TLS listener that browsers could keep to; \(remedy)"
                problems.append(SettingsProblem(source: draft.sources["hsts"] ?? .flag(""), message: message))
            }
        }
        return problems
    }

    /// Certificates of flags replace those of the file.
    private static func finishCertificates(_ draft: inout Draft) -> SettingsProblem? {
        let certificates = draft.certificates
        let keys = draft.keys.isEmpty ? certificates : draft.keys
        guard draft.refused.isDisjoint(with: ["cert", "key"]) else { return nil }
        guard certificates.count == keys.count else {
            let message =
                "\(count(certificates.count, "certificate")) and \(count(keys.count, "key")) are given; the nth --key "
                + "belongs to the nth --cert, and without any --key each key is in its certificate's file"
            return SettingsProblem(source: draft.sources["key"] ?? .flag(""), message: message)
        }
        guard !certificates.isEmpty else { return nil }
        draft.configuration.tls.certificates = zip(certificates, keys).map { certificate, key in
            Configuration.TLS.CertificatePair(certificate: certificate, key: key)
        }
        return nil
    }

    private static func count(_ number: Int, _ noun: String) -> String {
        "\(number == 0 ? "no" : "\(number)") \(noun)\(number == 1 ? "" : "s")"
    }
}
