// SPDX-License-Identifier: Apache-2.0
// The part of a configuration that is about TLS. Files are named by their paths only: whether they are there and hold what
// they should is for the TLS layer to say, which reads them.

extension Configuration {
    /// TLS with clients.
    public struct TLS: Sendable, Equatable {
        /// In the order of the settings; empty means that a self-signed one is made at start.
        public var certificates: [CertificatePair] = []
        /// The oldest version that is spoken.
        public var minimumVersion = Version.tls12
        /// Path of the roots, in PEM, that a client's certificate must lead to; clients are asked for one when it is set.
        public var clientCA: String?
        /// What becomes of a client without a certificate; of no meaning without `clientCA`.
        public var clientCertificate = ClientCertificate.required
        /// OCSP responses are fetched from the certificates' responders, to be stapled.
        public var fetchesOCSP = false
        /// Requests over plain HTTP are answered with a redirect to `https`.
        public var redirectsPlain = false
        /// `max-age` of `Strict-Transport-Security` (RFC 6797, section 6.1.1), in seconds; 0 sends no such field. At most two
        /// years.
        public var hstsSeconds = 0
        /// The defaults.
        public init() {}
    }

    /// TLS with upstream servers whose URL begins with `https://`.
    public struct UpstreamTLS: Sendable, Equatable {
        /// Path of the roots in PEM; nil means those of the system.
        public var ca: String?
        /// Path of the chain in PEM that is shown to servers that ask for one, or nil.
        public var certificate: String?
        /// Path of its private key in PEM; nil when it is in the file of `certificate`, or when there is no certificate.
        public var key: String?
        /// The server's certificate must lead to a root and name the server.
        public var verifies = true
        /// The defaults.
        public init() {}
    }
}

extension Configuration.TLS {
    /// A certificate with its key.
    public struct CertificatePair: Sendable, Equatable {
        /// Path of the chain in PEM, the server's own certificate first.
        public var certificate: String
        /// Path of the private key in PEM; the same as `certificate` when that file holds the key too.
        public var key: String
        /// Path of an OCSP response in DER to staple, or nil.
        public var ocsp: String?
        /// A certificate with its key.
        public init(certificate: String, key: String, ocsp: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.ocsp = ocsp
        }
    }

    /// A version of TLS.
    public enum Version: String, Sendable, CaseIterable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// What becomes of a client that shows no certificate.
    public enum ClientCertificate: String, Sendable, CaseIterable {
        /// Its handshake fails.
        case required
        /// It is served; a certificate that it does show must lead to the roots.
        case optional
    }
}
