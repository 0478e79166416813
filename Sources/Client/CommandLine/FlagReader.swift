// SPDX-License-Identifier: Apache-2.0
// Words into flags, by curl's habits: `-sSfo FILE`, `-XPOST`, `--data=TEXT` as well as `--data TEXT`, flags behind URLs, `--`.

/// What a command line's words are. Pure.
public struct FlagReader: Sendable {
    /// One of them.
    public enum Word: Equatable, Sendable {
        /// A flag by its name, with its argument; `isOn` is false for `--no-…`.
        case flag(String, argument: String?, isOn: Bool)
        /// No flag: a URL, or a subcommand.
        case plain(String)
    }

    /// The words in their order.
    public let words: [Word]

    /// Reads arguments (without the program's name).
    public init(_ arguments: [String], _ flags: [Flag] = Flag.all) throws(ClientFailure) {
        var words: [Word] = []
        var rest = arguments[...]
        func argument(of name: String) throws(ClientFailure) -> String {
            guard let next = rest.popFirst() else { throw .usage("\(name) needs an argument; --help has the list") }
            return next
        }
        while let word = rest.popFirst() {
            if word == "--" {
                words += rest.map { .plain($0) }
                break
            }
            if word.hasPrefix("--") {
                let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let name = String(parts[0])
                if let flag = flags.first(where: { $0.name == name }) {
                    if flag.argument != nil {
                        let value = parts.count > 1 ? String(parts[1]) : try argument(of: "--" + name)
                        words.append(.flag(name, argument: value, isOn: true))
                    } else {
                        guard parts.count == 1 else { throw .usage("--\(name) takes no argument") }
                        words.append(.flag(name, argument: nil, isOn: true))
                    }
                } else if let flag = Self.negated(name, flags), parts.count == 1 {
                    words.append(.flag(flag.name, argument: nil, isOn: false))
                } else {
                    throw .usage("there is no --\(name)" + Self.suggestion(name, flags))
                }
            } else if word.hasPrefix("-"), word.count > 1 {
                try Self.letters(word, flags, argument, &words)
            } else {
                words.append(.plain(word))
            }
        }
        self.words = words
    }

    /// `-sSfo FILE`.
    private static func letters(
        _ word: String, _ flags: [Flag], _ next: (String) throws(ClientFailure) -> String, _ words: inout [Word]
    ) throws(ClientFailure) {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let flag = flags.first(where: { $0.letter == letter }) else {
                throw .usage("there is no -\(letter); --help has the list")
            }
            guard flag.argument != nil else {
                words.append(.flag(flag.name, argument: nil, isOn: true))
                continue
            }
            let value = letters.isEmpty ? try next("-\(letter)") : String(letters)
            words.append(.flag(flag.name, argument: value, isOn: true))
            return
        }
    }

    /// `--no-compressed`, and `--clobber` for `--no-clobber`.
    private static func negated(_ name: String, _ flags: [Flag]) -> Flag? {
        flags.first { $0.argument == nil && ("no-" + $0.name == name || $0.name == "no-" + name) }
    }

    private static func suggestion(_ name: String, _ flags: [Flag]) -> String {
        let close = flags.map { ($0.name, distance(name, $0.name)) }.min { $0.1 < $1.1 }
        guard let close, close.1 <= 2 || close.0.hasPrefix(name) else { return "; --help has the list" }
        return "; is --\(close.0) meant?"
    }

    /// How many letters must change to make one word of the other (Levenshtein).
    private static func distance(_ left: String, _ right: String) -> Int {
        let columns = Array(right.utf8)
        var row = Array(0...columns.count)
        for (index, byte) in left.utf8.enumerated() {
            var next = [index + 1]
            for (column, other) in columns.enumerated() {
                next.append(min(next[column] + 1, row[column + 1] + 1, row[column] + (byte == other ? 0 : 1)))
            }
            row = next
        }
        return row[columns.count]
    }
}
