// SPDX-License-Identifier: Apache-2.0
// The certificates of a server and the files that they come from: read at the start, and again when a file has changed or the
// operator asks. What cannot be used is refused, and what was used before stays.
//
// Files are looked at once a second rather than watched with inotify: they may be links that are exchanged a directory further
// up, or on a file system that reports nothing, and a look at a dozen files costs microseconds.

import Bytes
import COpenSSL
import Glibc
import Synchronization

/// Paths of one certificate.
public struct CertificateFiles: Sendable, Equatable {
    /// PEM: the server's certificate, then those of its chain.
    public var certificate: String
    /// PEM, perhaps the same file.
    public var key: String
    /// An OCSP response (DER) to send along, or nil.
    public var ocsp: String?

    /// The paths of one certificate.
    public init(certificate: String, key: String, ocsp: String? = nil) {
        self.certificate = certificate
        self.key = key
        self.ocsp = ocsp
    }
}

/// Owns the certificates of one or more servers.
public final class CertificateStore: Sendable {
    private struct Entry {
        let files: CertificateFiles
        var pair: CertificatePair
        var watch: FileWatch
        var stapleWatch: FileWatch
        /// Days before the end for which a warning has been given.
        var warnedDays: Int?
    }

    private struct State {
        var entries: [Entry]
        var servers: [ServerTLS] = []
        var timer: PollTimer?
    }

    private let state: Lock<State>
    /// What was odd about the certificates when they were first read, in sentences.
    public let warnings: [String]

    /// Days before a certificate's end at which the operator is reminded, and that it has ended.
    private static let reminders = [0, 3, 14]

    /// Reads all files.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Throws: The first problem; a staple that cannot be used is a warning only.
    public init(files: [CertificateFiles], now: Int) throws(TLSFileProblem) {
        var entries: [Entry] = []
        var warnings: [String] = []
        for files in files {
            // Watched before they are read, so that no change falls in between.
            let watch = FileWatch(paths: [files.certificate, files.key])
            let stapleWatch = FileWatch(paths: files.ocsp.map { [$0] } ?? [])
            let pair = try CertificatePair.load(certificate: files.certificate, key: files.key, now: now)
            warnings += pair.warnings
            if let problem = Self.staple(files.ocsp, to: pair, now: now) { warnings.append(problem) }
            entries.append(Entry(files: files, pair: pair, watch: watch, stapleWatch: stapleWatch))
        }
        state = Lock(State(entries: entries))
        self.warnings = warnings
    }

    /// The certificates in use, in the order of their files.
    public var pairs: [CertificatePair] { state.withLock { $0.entries.map(\.pair) } }

    /// The certificates in use as a set; nil when there are none.
    public var certificates: CertificateSet? { CertificateSet(pairs) }

    /// Gives `server` every later change.
    public func serve(_ server: ServerTLS) { state.withLock { $0.servers.append(server) } }

    /// Starts looking at the files every second. Sentences for the log go to `report`.
    public func watch(report: @escaping @Sendable (String) -> Void) {
        let timer = PollTimer(label: "gateway.certificates", seconds: 1) { [weak self] in
            for sentence in self?.tick(now: time(nil)) ?? [] { report(sentence) }
        }
        state.withLock { $0.timer = timer }
    }

    /// Stops looking.
    public func stop() { state.withLock { $0.timer = nil } }

    /// Reads all files again, changed or not.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Returns: What came of it, in sentences.
    public func reload(now: Int) -> [String] {
        state.withLock { state in
            var sentences: [String] = []
            for index in state.entries.indices {
                state.entries[index].watch.settle()
                state.entries[index].stapleWatch.settle()
                sentences += Self.read(index, of: &state, now: now)
            }
            return sentences
        }
    }

    /// Looks at the files, acts on changes that have settled, and reminds of certificates that are about to end.
    ///
    /// - Parameter now: Seconds since 1970.
    /// - Returns: What there is to say, in sentences.
    public func tick(now: Int) -> [String] {
        state.withLock { state in
            var sentences: [String] = []
            for index in state.entries.indices {
                let hasChanged = state.entries[index].watch.look()
                let hasNewStaple = state.entries[index].stapleWatch.look()
                if hasChanged {
                    sentences += Self.read(index, of: &state, now: now)
                } else if hasNewStaple {
                    let entry = state.entries[index]
                    sentences.append(
                        Self.staple(entry.files.ocsp, to: entry.pair, now: now)
                            ?? "the OCSP response for \(entry.pair.label) changed: new handshakes use it")
                }
                if let reminder = Self.remind(&state.entries[index], now: now) { sentences.append(reminder) }
            }
            return sentences
        }
    }

    /// Reads one pair and hands it to the servers; the one before stays when either fails.
    private static func read(_ index: Int, of state: inout State, now: Int) -> [String] {
        let entry = state.entries[index]
        do {
            let pair = try CertificatePair.load(
                certificate: entry.files.certificate, key: entry.files.key, now: now)
            let stapleProblem = staple(entry.files.ocsp, to: pair, now: now)
            var pairs = state.entries.map(\.pair)
            pairs[index] = pair
            if let set = CertificateSet(pairs) {
                for server in state.servers { try server.replace(certificates: set) }
            }
            state.entries[index].pair = pair
            state.entries[index].warnedDays = nil
            if unsafe X509_cmp(pair.leaf.pointer, entry.pair.leaf.pointer) == 0 {
                return ["certificate \(pair.label) was read again and is the same"] + (stapleProblem.map { [$0] } ?? [])
            }
            let names =
                pair.names.prefix(namesListed).joined(separator: ", ") + (pair.names.count > namesListed ? ", …" : "")
            return [
                "certificate \(pair.label) changed: new handshakes use it (names \(names), until "
                    + "\(Certificate.date(pair.notAfter)))"
            ] + pair.warnings + (stapleProblem.map { [$0] } ?? [])
        } catch {
            return ["certificate \(entry.pair.label) is not changed, the one in use stays: \(error.sentence)"]
        }
    }

    /// Names of a certificate that a sentence lists.
    private static let namesListed = 10

    private static func staple(_ path: String?, to pair: CertificatePair, now: Int) -> String? {
        guard let path else { return nil }
        do {
            try pair.attachStaple(path: path, now: now)
            return nil
        } catch {
            return error.sentence
        }
    }

    private static func remind(_ entry: inout Entry, now: Int) -> String? {
        let left = entry.pair.notAfter - now
        guard let days = reminders.first(where: { left <= $0 * 86_400 }), days < entry.warnedDays ?? .max else {
            return nil
        }
        entry.warnedDays = days
        let date = Certificate.date(entry.pair.notAfter)
        return left <= 0
            ? "certificate \(entry.pair.label) expired on \(date)"
            : "certificate \(entry.pair.label) expires on \(date), in less than \(left / 86_400 + 1) days"
    }
}
