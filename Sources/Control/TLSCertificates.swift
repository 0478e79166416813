// SPDX-License-Identifier: Apache-2.0
// The TLS listeners' side of a configuration: policy, certificates and ticket keys, and what keeps them up to date.

import Dispatch
import Glibc
import Proxy
import Settings
import TLS

/// What all TLS listeners share. Made before the loops run; afterwards every call may come from any thread.
final class TLSCertificates {
    let server: ServerTLS
    private let tickets: TicketKeys
    /// Nil when the certificate is our own.
    private let store: CertificateStore?
    private let fetcher: OCSPFetcher?
    private let report: @Sendable (String) -> Void
    private var timer: (any DispatchSourceTimer)?

    /// Seconds between two looks at the age of ticket keys and of our own certificate.
    private static let period = 60
    /// Our own certificate is made anew so long before it ends, in seconds.
    private static let renewal = 30 * 86_400

    init(_ settings: Configuration.TLS, report: @escaping @Sendable (String) -> Void) throws(StartFailure) {
        self.report = report
        do throws(TLSFileProblem) {
            let now = time(nil)
            tickets = TicketKeys(now: Self.monotonic())
            var policy = ServerTLS.Policy(minimumVersion: settings.minimumVersion == .tls13 ? .tls13 : .tls12)
            if let path = settings.clientCA {
                let authorities = try TrustedAuthorities(path: path)
                policy.clientCertificates =
                    settings.clientCertificate == .required ? .required(authorities) : .optional(authorities)
            }
            if settings.certificates.isEmpty {
                store = nil
                fetcher = nil
                let own = try CertificatePair.selfSigned(now: now)
                guard let set = CertificateSet([own]) else { throw TLSFileProblem("no certificate could be made") }
                server = try ServerTLS(policy: policy, certificates: set, tickets: tickets)
                report(
                    "no certificate was given (--cert, --key): made one for \(own.names.joined(separator: ", ")), which nobody "
                        + "trusts; clients need --insecure or the like")
            } else {
                let store = try CertificateStore(
                    files: settings.certificates.map {
                        CertificateFiles(certificate: $0.certificate, key: $0.key, ocsp: $0.ocsp)
                    }, now: now)
                guard let set = store.certificates else { throw TLSFileProblem("no certificate was given") }
                for warning in store.warnings { report(warning) }
                server = try ServerTLS(policy: policy, certificates: set, tickets: tickets)
                store.serve(server)
                self.store = store
                fetcher = settings.fetchesOCSP ? OCSPFetcher() : nil
            }
        } catch {
            throw StartFailure(error.sentence)
        }
    }

    deinit { timer?.cancel() }

    /// Begins to look at files and clocks.
    func watch() {
        let report = report
        if let store {
            store.watch(report: report)
            fetcher?.start(pairs: { store.pairs }, report: report)
        }
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "gateway.tickets", qos: .utility))
        timer.schedule(deadline: .now() + .seconds(Self.period), repeating: .seconds(Self.period))
        timer.setEventHandler { [tickets, server, isOwn = store == nil] in
            tickets.rotate(now: Self.monotonic())
            if isOwn { Self.renewOwn(on: server, report) }
        }
        timer.activate()
        self.timer = timer
    }

    /// Reads every file anew; what cannot be used is reported, and what was used before stays.
    func reload() {
        for sentence in store?.reload(now: time(nil)) ?? [] { report(sentence) }
    }

    private static func renewOwn(on server: ServerTLS, _ report: @Sendable (String) -> Void) {
        let now = time(nil)
        guard let until = server.certificates.pairs.first?.notAfter, until - now < renewal else { return }
        do throws(TLSFileProblem) {
            guard let set = CertificateSet([try CertificatePair.selfSigned(now: now)]) else { return }
            try server.replace(certificates: set)
        } catch {
            report("the certificate of our own could not be made anew: \(error.sentence)")
        }
    }

    private static func monotonic() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }
}
