// SPDX-License-Identifier: Apache-2.0
// Where a body goes: standard output, a file of the user's choice, or one named as the URL ends.

import Engine
import Glibc

/// Where a body is to go.
public enum OutputTarget: Equatable, Sendable {
    /// Standard output, made harmless on a terminal.
    case standard
    /// Standard output, as it is: `-o -`.
    case raw
    /// A file.
    case file(String)
    /// A file in the current folder that is named as the URL's path ends: `-O`.
    case remoteName
}

/// How files are made.
public struct OutputRules: Equatable, Sendable {
    /// The folder in which files are made; nil for the current one.
    public var folder: String?
    /// Make folders that are missing.
    public var makesFolders = false
    /// Leave a file alone that is there.
    public var keepsFiles = false
    /// Print JSON for people.
    public var isPretty = false

    /// The usual ones.
    public init() {}
}

/// Takes a body and puts it where it belongs. A file is made when there is something to put into it, so that a failure leaves
/// what was there before. Belongs to one thread.
public final class BodyOutput {
    private let target: OutputTarget
    private let rules: OutputRules
    private let appends: Bool
    private let isTerminal: Bool
    private var descriptor: Descriptor?
    private var printer: JSONPrinter?
    private var filter = TerminalFilter()
    private var isFirst = true
    /// The file's path, or nil for standard output.
    public let path: String?

    /// Where the body of `url` goes. `appends`: behind what is there.
    ///
    /// - Throws: When `-O` has no name to take.
    public init(
        _ target: OutputTarget, _ rules: OutputRules, url: HTTPURL, appends: Bool = false
    ) throws(ClientFailure) {
        self.target = target
        self.rules = rules
        self.appends = appends
        switch target {
        case .standard, .raw: path = nil
        case .file(let name): path = Self.placed(name, rules)
        case .remoteName: path = Self.placed(try Self.remoteName(url), rules)
        }
        isTerminal = target == .standard && isatty(STDOUT_FILENO) == 1
    }

    private static func placed(_ name: String, _ rules: OutputRules) -> String {
        guard let folder = rules.folder, !name.hasPrefix("/") else { return name }
        return folder + "/" + name
    }

    /// The last segment of the path. It cannot leave the folder: it has no slash, and is neither `.` nor `..`.
    static func remoteName(_ url: HTTPURL) throws(ClientFailure) -> String {
        let name = url.path.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? ""
        guard !name.isEmpty, name != ".", name != "..", !name.contains("\\") else {
            throw ClientFailure(23, "-O: \(url.text) does not end in a name for a file; -o FILE gives it one")
        }
        return name
    }

    /// Bytes that the file has already, for a download that goes on.
    public var existingBytes: UInt64 {
        guard let path else { return 0 }
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            ? UInt64(max(0, status.st_size)) : 0
    }

    /// Says of what kind the body is. JSON is printed for people where that was wished.
    public func begin(contentType: String?) {
        let isJSON = contentType?.lowercased().contains("json") ?? false
        printer = rules.isPretty && isJSON ? JSONPrinter(hasColours: isTerminal) : nil
    }

    /// A piece of the body.
    public func take(_ bytes: Span<UInt8>) throws(ClientFailure) {
        try openFile()
        if isTerminal {
            if isFirst { try refuseBinary(bytes) }
            isFirst = false
            // What is coloured is made harmless before that.
            let harmless = filter.take(bytes)
            let shown = printer?.take(harmless.span) ?? harmless
            try put(shown.span)
            return
        }
        if let shown = printer?.take(bytes) { try put(shown.span) } else { try put(bytes) }
    }

    /// The body is complete.
    public func finish() throws(ClientFailure) {
        try openFile()
        let rest = filter.finish()
        try put(rest.span)
        if let last = printer?.finish() { try put(last.span) }
        printer = nil
        descriptor = nil
    }

    private func refuseBinary(_ bytes: Span<UInt8>) throws(ClientFailure) {
        for index in bytes.indices where bytes[index] == 0 {
            throw ClientFailure(
                23,
                "the body is binary, which could upset your terminal; -o FILE writes it to a file, -o - here all the same"
            )
        }
    }

    private func openFile() throws(ClientFailure) {
        guard let path, descriptor == nil else { return }
        if rules.makesFolders { try makeFolders(path) }
        var flags = O_WRONLY | O_CREAT | O_CLOEXEC | (appends ? O_APPEND : O_TRUNC)
        // A name that came with a URL must not lead elsewhere by a link that somebody put there.
        if target == .remoteName { flags |= O_NOFOLLOW }
        if rules.keepsFiles, !appends { flags |= O_EXCL }
        let number = unsafe open(path, flags, 0o644)
        guard number >= 0 else {
            let hint = errno == EEXIST ? "; --clobber writes over it" : ""
            throw .write(path, SystemFailure.reason(errno) + hint)
        }
        descriptor = Descriptor(adopting: number)
    }

    private func makeFolders(_ path: String) throws(ClientFailure) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/").dropLast() {
            made += part + "/"
            guard unsafe mkdir(made, 0o755) == 0 || errno == EEXIST else {
                throw .write(made, SystemFailure.reason(errno))
            }
        }
    }

    private func put(_ bytes: Span<UInt8>) throws(ClientFailure) {
        try WholeWrite.all(bytes, to: descriptor?.number ?? STDOUT_FILENO, named: path ?? "standard output")
    }
}
