// SPDX-License-Identifier: Apache-2.0
// What may be wrong with the settings, and where. Every problem names its place so exactly that an editor can jump to it,
// and all of them are told at once: an operator who repairs one mistake should not meet the next one on the next try.

import Bytes

/// One mistake in the settings.
public struct SettingsProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where a value came from.
    public enum Source: Equatable, Sendable {
        /// A place in the file; line and column count from 1, the column in Unicode scalars.
        case file(String, line: Int, column: Int)
        /// The file as a whole: it cannot be read.
        case wholeFile(String)
        /// A flag, as given: `--port 80` or `--port=80`.
        case flag(String)
        /// An environment variable's name.
        case variable(String)
    }

    /// Where the mistake is.
    public var source: Source
    /// What is wrong and what would be right, in one sentence.
    public var message: String

    /// A problem at a place.
    public init(source: Source, message: String) {
        self.source = source
        self.message = message
    }

    /// The line to print.
    public var description: String {
        switch source {
        case .file(let name, let line, let column): "\(name):\(line):\(column): \(message)"
        case .wholeFile(let name): "\(name): \(message)"
        case .flag(let text): text.isEmpty ? "gateway: \(message)" : "gateway: \(text): \(message)"
        case .variable(let name): "\(name): \(message)"
        }
    }
}

/// All the mistakes of one reading: those of the file by position, then variables, then flags. The process ends with
/// `exitStatus`.
public struct SettingsFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// EX_USAGE of sysexits.h.
    public static let exitStatus: Int32 = 64
    /// Never empty.
    public var problems: [SettingsProblem]
    /// One line per problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Why a text is not a value of its setting; whoever knows the place makes a `SettingsProblem` of it.
struct Refusal: Error, Equatable {
    var message: String
    init(_ message: String) { self.message = message }
}

/// Whether a text that was meant for something else has a secret in it: it names a setting that is one, or is a URL with a
/// password.
func carriesSecret(_ text: String) -> Bool {
    if let user = text.lastIndex(of: "@"), text[..<user].contains(":") { return true }
    return SettingTable.all.contains { setting in
        setting.isSecret && (text.contains(setting.flag) || setting.keys.last.map { text.contains($0) } == true)
    }
}

/// A text as it is quoted in a message: on one line, without control characters, and not longer than 60 characters. One that
/// carries a secret is not shown; the name of a key or flag carries none.
func quoted(_ text: String, isName: Bool = false) -> String {
    if !isName, carriesSecret(text) { return "a text that is not shown, for the secret in it" }
    var result = "\""
    for scalar in text.unicodeScalars.prefix(60) {
        if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
            result += Escaping.escape(UInt8(scalar.value))
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result + (text.unicodeScalars.count > 60 ? "…\"" : "\"")
}

/// The known name nearest to a mistyped one, if one is near: at most one edit per three characters, and at least two.
func nearest(to name: String, among known: [String]) -> String? {
    let wanted = Array(name.lowercased())
    guard wanted.count <= 64 else { return nil }
    let limit = min(max(2, wanted.count / 3), max(1, wanted.count - 1))
    var best: (name: String, distance: Int)?
    for candidate in known {
        let distance = editDistance(wanted, Array(candidate.lowercased()))
        if distance <= limit && distance < (best?.distance ?? .max) { best = (candidate, distance) }
    }
    return best?.name
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
        var row = [i + 1]
        for j in b.indices {
            var cost = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
            row.append(cost)
        }
        beforeLast = last
        last = row
    }
    return last[b.count]
}

/// `; did you mean 'name'?`, or nothing.
func suggestion(for name: String, among known: [String]) -> String {
    nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
}
