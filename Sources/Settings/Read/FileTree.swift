// SPDX-License-Identifier: Apache-2.0
// From the text of a settings file to a tree whose nodes know their places, with the mistakes of YAML itself told in our
// own words. A key given twice is found here, with both lines: Yams stops at one and does not say where the second is.

import Bytes
import Yams

enum FileTree {
    /// The first of the private-use characters that stand for a repeated key; such a key is skipped by the reader.
    static let repeatedKeyMark: Unicode.Scalar = "\u{E000}"
    /// Aliases may not make more of a file than this.
    static let nodeLimit = 100_000
    static let depthLimit = 64

    /// The tree, nil for an empty file or one that cannot be understood, and the problems met on the way.
    static func compose(_ text: String, name: String) -> (root: Node?, problems: [SettingsProblem]) {
        if let problem = controlCharacter(in: text, name: name) { return (nil, [problem]) }
        var text = text
        var problems: [SettingsProblem] = []
        while true {
            do {
                guard let root = try Parser(yaml: text).singleRoot() else { return (nil, problems) }
                var budget = nodeLimit
                guard measure(root, budget: &budget, depth: 0) else {
                    let message =
                        "more than \(nodeLimit) values, aliases counted each time, or nested deeper than \(depthLimit)"
                    return (nil, problems + [SettingsProblem(source: .wholeFile(name), message: message)])
                }
                return (root, problems)
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) where problems.count < 100 {
                let key = keys.first ?? ""
                let mark = Spot(context.mark)
                guard let again = secondPlace(of: key, after: mark, in: text) else {
                    return (nil, problems + [problem(name, mark, "key '\(key)' is given twice")])
                }
                let message = "key '\(key)' is given twice; the first time in line \(mark.line)"
                problems.append(problem(name, again.mark, message))
                let stamp = 0xE000 + UInt32(problems.count)
                let filler = String(Unicode.Scalar(stamp) ?? repeatedKeyMark)
                text.replaceSubrange(
                    again.range,
                    with: String(repeatedKeyMark) + String(repeating: filler, count: again.width - 1))
            } catch {
                return (nil, problems + [described(error, name: name)])
            }
        }
    }

    /// A place in the text; both count from 1.
    private struct Spot {
        let line: Int
        let column: Int
        init(line: Int, column: Int) {
            self.line = line
            self.column = column
        }
        init(_ mark: Mark) { self.init(line: mark.line, column: mark.column) }
    }

    private static func problem(_ name: String, _ mark: Spot, _ message: String) -> SettingsProblem {
        SettingsProblem(source: .file(name, line: mark.line, column: mark.column), message: message)
    }

    private static func described(_ error: any Error, name: String) -> SettingsProblem {
        switch error {
        case YamlError.scanner(let context, let text, let mark, _),
            YamlError.parser(let context, let text, let mark, _):
            let mark = Spot(mark)
            if text.contains("cannot start any token") {
                return problem(name, mark, "not YAML: a tab or a reserved character (@ or `) cannot stand here")
            }
            return problem(name, mark, "not YAML: \(context.map { "\($0.text): " } ?? "")\(text)")
        case YamlError.composer(_, let text, let mark, _):
            let words = text.contains("another document") ? "a settings file has one document; found another" : text
            return problem(name, Spot(mark), "not YAML: \(words)")
        case YamlError.duplicatedKeysInMapping(_, let context):
            return problem(name, Spot(context.mark), "too many keys are given twice")
        default: return SettingsProblem(source: .wholeFile(name), message: "not YAML")
        }
    }

    /// A control character other than tab, line feed and carriage return. libyaml would tell its offset only.
    private static func controlCharacter(in text: String, name: String) -> SettingsProblem? {
        var line = 1
        var column = 1
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A: (line, column) = (line + 1, 1)
            case 0x09, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xFEFE, 0xFF00...0xFFFD, 0x10000...: column += 1
            default:
                let digits = "U+" + String(hexadecimal: UInt64(scalar.value), digits: 4, uppercase: true)
                return problem(name, Spot(line: line, column: column), "the character \(digits) cannot stand in YAML")
            }
        }
        return nil
    }

    private static func measure(_ node: Node, budget: inout Int, depth: Int) -> Bool {
        budget -= 1
        guard budget >= 0, depth <= depthLimit else { return false }
        switch node {
        case .mapping(let mapping):
            return mapping.allSatisfy { measure($0.value, budget: &budget, depth: depth + 1) }
        case .sequence(let sequence):
            return sequence.allSatisfy { measure($0, budget: &budget, depth: depth + 1) }
        default: return true
        }
    }

    /// Where a key stands for the second time: in a block, the next line that has it in the same column; else the next
    /// place that has it before a colon.
    private static func secondPlace(
        of key: String, after mark: Spot, in text: String
    ) -> (mark: Spot, range: Range<String.Index>, width: Int)? {
        let wanted = Array(key.unicodeScalars)
        guard !wanted.isEmpty else { return nil }
        var other: (mark: Spot, range: Range<String.Index>, width: Int)?
        var line = 1
        var start = text.unicodeScalars.startIndex
        let all = text.unicodeScalars
        while start < all.endIndex {
            let end = all[start...].firstIndex(of: "\n") ?? all.endIndex
            if line >= mark.line {
                let scalars = withoutComment(Array(all[start..<end]))
                let isFirst = line == mark.line
                let from = isFirst ? afterKey(of: wanted.count, at: mark.column - 1, in: scalars) : 0
                // In braces, the second one is most likely on the same line; in a block, it is in the same column.
                let isBraced = isFirst && scalars.prefix(mark.column - 1).contains("{")
                for column in from..<max(from, scalars.count) where stands(wanted, at: column, in: scalars) {
                    let lower = all.index(start, offsetBy: column)
                    let found = (
                        mark: Spot(line: line, column: column + 1),
                        range: lower..<all.index(lower, offsetBy: wanted.count), width: wanted.count
                    )
                    if isBraced || !isFirst && column + 1 == mark.column { return found }
                    if other == nil { other = found }
                }
            }
            line += 1
            start = end < all.endIndex ? all.index(after: end) : end
        }
        return other
    }

    private static func afterKey(of width: Int, at column: Int, in line: [Unicode.Scalar]) -> Int {
        guard column < line.count else { return line.count }
        return column + width + (line[column] == "\"" || line[column] == "'" ? 2 : 0)
    }

    private static func withoutComment(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
        let hash = line.indices.first { line[$0] == "#" && ($0 == 0 || line[$0 - 1] == " " || line[$0 - 1] == "\t") }
        return Array(line[..<(hash ?? line.count)])
    }

    private static func stands(_ key: [Unicode.Scalar], at column: Int, in line: [Unicode.Scalar]) -> Bool {
        guard column + key.count < line.count, Array(line[column..<column + key.count]) == key else { return false }
        let before = column == 0 ? " " : line[column - 1]
        guard [" ", "{", ",", "\"", "'"].contains(before) else { return false }
        let after = line[(column + key.count)...].drop { $0 == "\"" || $0 == "'" || $0 == " " }
        return after.first == ":"
    }
}
