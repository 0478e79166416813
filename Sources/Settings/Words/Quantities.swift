// SPDX-License-Identifier: Apache-2.0
// Numbers, durations and sizes as operators write them, both ways: what `text(ofDuration:)` writes, `duration` reads.

enum Quantities {
    private static let durationUnits: [(name: String, factor: Int)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
    ]
    private static let sizeUnits: [(name: String, factor: Int)] = [
        ("t", 1 << 40), ("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10),
    ]

    /// A decimal number without sign, space or separators.
    static func digits(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text)
    }

    /// A whole number within a range.
    static func whole(_ text: String, in range: ClosedRange<Int>) throws(Refusal) -> Int {
        guard let number = digits(text), range.contains(number) else {
            throw Refusal(
                "expected a whole number from \(range.lowerBound) to \(range.upperBound); found \(quoted(text))")
        }
        return number
    }

    /// Milliseconds, from `250ms`, `15s`, `5m`, `1h` or `1d`. A bare number is refused, for servers differ on its unit.
    static func duration(_ text: String, in range: ClosedRange<Int>, such example: Int) throws(Refusal) -> Int {
        let (number, unit) = split(text)
        if let number, let factor = durationUnits.first(where: { $0.name == unit })?.factor {
            let (value, overflow) = number.multipliedReportingOverflow(by: factor)
            if !overflow && range.contains(value) { return value }
        }
        let hint = number != nil && unit.isEmpty && number != 0 ? " (did you mean \(text)s?)" : ""
        throw Refusal(
            "expected a duration between \(Self.text(ofDuration: range.lowerBound)) and "
                + "\(Self.text(ofDuration: range.upperBound)), such as \(Self.text(ofDuration: example)); "
                + "found \(quoted(text))\(hint)")
    }

    /// Seconds, from a duration that is a whole number of them; the range counts seconds too.
    static func seconds(_ text: String, in range: ClosedRange<Int>, such example: Int) throws(Refusal) -> Int {
        let milliseconds = try duration(
            text, in: range.lowerBound * 1_000...range.upperBound * 1_000, such: example * 1_000)
        guard milliseconds.isMultiple(of: 1_000) else {
            throw Refusal("expected whole seconds; found \(quoted(text))")
        }
        return milliseconds / 1_000
    }

    /// Yes or no.
    static func truth(_ text: String) throws(Refusal) -> Bool {
        guard ["true", "false"].contains(text) else {
            throw Refusal("expected true or false; found \(quoted(text))")
        }
        return text == "true"
    }

    /// Bytes, from `512`, `32k`, `10m`, `1g` or `1t`; the units are powers of 1024.
    static func size(_ text: String) -> Int? {
        let (number, unit) = split(text)
        guard let number else { return nil }
        if unit.isEmpty { return number }
        guard let factor = sizeUnits.first(where: { $0.name == unit.lowercased() })?.factor else { return nil }
        let (value, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : value
    }

    /// A size within a range.
    static func size(_ text: String, in range: ClosedRange<Int>, such example: Int) throws(Refusal) -> Int {
        guard let value = size(text), range.contains(value) else {
            throw Refusal(
                "expected a size between \(Self.text(ofSize: range.lowerBound)) and "
                    + "\(Self.text(ofSize: range.upperBound)), such as \(Self.text(ofSize: example)); "
                    + "found \(quoted(text))")
        }
        return value
    }

    /// Milliseconds in the largest unit that divides them.
    static func text(ofDuration milliseconds: Int) -> String {
        guard milliseconds != 0 else { return "0s" }
        let unit = durationUnits.first { milliseconds.isMultiple(of: $0.factor) } ?? ("ms", 1)
        return "\(milliseconds / unit.factor)\(unit.name)"
    }

    /// Bytes in the largest unit that divides them.
    static func text(ofSize bytes: Int) -> String {
        guard bytes != 0, let unit = sizeUnits.first(where: { bytes.isMultiple(of: $0.factor) }) else {
            return "\(bytes)"
        }
        return "\(bytes / unit.factor)\(unit.name)"
    }

    private static func split(_ text: String) -> (number: Int?, unit: String) {
        let number = text.prefix { $0.isASCII && $0.isNumber }
        return (digits(number), String(text.dropFirst(number.count)))
    }
}
