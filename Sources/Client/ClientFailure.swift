// SPDX-License-Identifier: Apache-2.0
import HTTP
import TLS

/// Why a transfer failed, with curl's exit status and a sentence for people.
public struct ClientFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// curl's exit status for the same trouble.
    public let exitStatus: Int32
    /// What went wrong, and what to try.
    public let description: String

    /// A failure.
    public init(_ exitStatus: Int32, _ description: String) {
        self.exitStatus = exitStatus
        self.description = description
    }

    static func badURL(_ text: String, _ failure: HTTPURL.Failure) -> ClientFailure {
        switch failure {
        case .unsupportedScheme(let scheme): ClientFailure(1, "\(scheme): only http and https are spoken here")
        case .malformed(let why): ClientFailure(3, "\(text) is not a URL: \(why)")
        }
    }
    static func noSuchHost(_ host: String, _ reason: String) -> ClientFailure {
        ClientFailure(6, "cannot find the address of \(host): \(reason); check the spelling")
    }
    static func noSuchProxy(_ host: String, _ reason: String) -> ClientFailure {
        ClientFailure(
            5, "cannot find the address of the proxy \(host): \(reason); check -x and the variable http_proxy")
    }
    static func cannotConnect(_ authority: String, _ reason: String) -> ClientFailure {
        ClientFailure(7, "cannot connect to \(authority): \(reason); is a server running there?")
    }
    static func connectTimeout(_ authority: String) -> ClientFailure {
        ClientFailure(28, "no connection to \(authority) in time; --connect-timeout SECONDS waits longer")
    }
    static let timeout = ClientFailure(28, "the transfer took longer than it may; --max-time SECONDS sets the limit")
    /// curl's: 60 for a certificate, 35 for anything else about the handshake.
    static func secure(_ authority: String, _ failure: TLSFailure) -> ClientFailure {
        var isCertificate = false
        if case .certificate = failure.kind { isCertificate = true }
        let hint =
            isCertificate
            ? "; --cacert FILE names the authority that issued it, --insecure connects without knowing who answers" : ""
        return ClientFailure(
            isCertificate ? 60 : 35, "no secure connection to \(authority): \(failure.sentence)\(hint)")
    }
    static let partial = ClientFailure(
        18, "the connection ended before the response was complete; -C - continues a download")
    static let empty = ClientFailure(52, "the server closed the connection without an answer")
    static func receive(_ reason: String) -> ClientFailure { ClientFailure(56, "receiving failed: \(reason)") }
    static func send(_ reason: String) -> ClientFailure { ClientFailure(55, "sending failed: \(reason)") }
    static func malformed(_ failure: ParseFailure) -> ClientFailure {
        // curl's: 1 for what is no HTTP/1 at all, 56 within a body or for a head without end, 8 for a head.
        let status: Int32
        switch failure.reason {
        case .badStatus, .badVersion, .unsupportedVersion: status = 1
        case .badChunkSize, .chunkSizeOverflow, .badChunkEnd, .badChunkExtension, .chunkExtensionsTooLarge,
            .headTooLarge, .tooManyFields, .fieldLineTooLong, .trailersTooLarge:
            status = 56
        default: status = 8
        }
        return ClientFailure(status, "the server's response is not valid HTTP: \(failure.sentence)")
    }
    /// A write of the response failed.
    public static func write(_ path: String, _ reason: String) -> ClientFailure {
        ClientFailure(23, "cannot write to \(path): \(reason)")
    }
    /// A file that was to be sent cannot be read.
    public static func read(_ path: String, _ reason: String) -> ClientFailure {
        ClientFailure(26, "cannot read \(path): \(reason)")
    }
    /// A flag is not as it should be.
    public static func usage(_ sentence: String) -> ClientFailure { ClientFailure(2, sentence) }

    /// Whether it is the server that failed, or the way to it (RFC 5861 section 4): a certificate that is not good, a body
    /// that is too large or a file that cannot be written is nothing to look away from.
    var isServers: Bool {
        switch exitStatus {
        case 5, 6, 7, 18, 28, 52, 55, 56: true
        default: false
        }
    }

    /// Whether another attempt may go better, by what `--retry` counts: time that ran out, a connection that broke.
    var isTransient: Bool { exitStatus == 28 || exitStatus == 6 || exitStatus == 5 }
}
