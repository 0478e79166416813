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
        return problems + missingListeners(draft)
    }

    /// Settings of TLS that mean nothing without a listener of one kind or the other. A setting that protects is refused rather
    /// than left without effect.
    private static func missingListeners(_ draft: Draft) -> [SettingsProblem] {
        guard draft.refused.isDisjoint(with: ["listeners", "port", "tls-port", "bind"]) else { return [] }
        let tls = draft.configuration.tls
        var problems: [SettingsProblem] = []
        func tell(_ flag: String, _ message: String) {
            problems.append(SettingsProblem(source: draft.sources[flag] ?? .flag(""), message: message))
        }
        let listeners = draft.configuration.listeners
        if !listeners.contains(where: \.isTLS) {
            let remedy = "add --tls-port N, or tls: true to a listener of the file"
            if tls.redirectsPlain {
                tell("https-redirect", "tls.redirect: there is no TLS listener to redirect to; \(remedy)")
            }
            if tls.hstsSeconds > 0 {
                tell("hsts", "tls.hsts: there is no TLS listener that browsers could keep to; \(remedy)")
            }
            if tls.clientCA != nil {
                tell(
                    "client-ca",
                    "tls.client_ca: there is no TLS listener whose clients could be asked for certificates; \(remedy)")
            }
        } else if tls.redirectsPlain, listeners.allSatisfy(\.isTLS) {
            tell(
                "https-redirect",
                "tls.redirect: there is no plain listener whose requests could be redirected; add --port N, or a listener "
                    + "without TLS to the file")
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
