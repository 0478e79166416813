// SPDX-License-Identifier: Apache-2.0
// Dictionaries of structured fields (RFC 8941 §3.2, §4.2.2), as far as a cache needs their values. Strict: one wrong
// byte and the whole field counts as absent.

internal import Bytes
internal import HTTP

/// Walks over the members of one line.
struct DictionaryReader {
    /// The value of a member; parameters are read and forgotten.
    enum Value: Equatable {
        /// No value, or `?1`.
        case isTrue
        case integer(Int64)
        /// What stands between the quotes, and whether it is free of escapes.
        case string(Range<Int>, isPlain: Bool)
        /// `?0`, a decimal, a token, bytes, an inner list: nothing that a known directive takes.
        case other
    }

    struct Member {
        var key: Range<Int>
        var value: Value
    }

    private var position: Int
    private let end: Int
    private var isFirst = true
    /// Whether something was read that is not a dictionary.
    private(set) var hasFailed = false

    /// A reader of the line at `range` of the bytes given to `next`.
    init(_ range: Range<Int>) {
        position = range.lowerBound
        end = range.upperBound
    }

    /// The next member, or nil at the end and after a failure.
    mutating func next(_ bytes: Span<UInt8>) -> Member? {
        guard !hasFailed else { return nil }
        if isFirst {
            isFirst = false
            skipSpaces(bytes)
            if position == end { return nil }
        } else {
            // Between members: OWS "," OWS, and none after the last.
            skipBlanks(bytes)
            if position == end { return nil }
            guard take(bytes, 0x2C) else { return fail() }
            skipBlanks(bytes)
        }
        guard let key = key(bytes) else { return fail() }
        var value = Value.isTrue
        if take(bytes, 0x3D) {
            guard let found = position < end && bytes[position] == 0x28 ? innerList(bytes) : item(bytes) else {
                return fail()
            }
            value = found
        }
        guard parameters(bytes) else { return fail() }
        return Member(key: key, value: value)
    }

    private mutating func fail() -> Member? {
        hasFailed = true
        return nil
    }

    private mutating func take(_ bytes: Span<UInt8>, _ byte: UInt8) -> Bool {
        guard position < end, bytes[position] == byte else { return false }
        position &+= 1
        return true
    }

    private mutating func skipSpaces(_ bytes: Span<UInt8>) {
        while position < end, bytes[position] == 0x20 { position &+= 1 }
    }

    private mutating func skipBlanks(_ bytes: Span<UInt8>) {
        while position < end, bytes[position].isBlank { position &+= 1 }
    }

    /// `( lcalpha / "*" ) *( lcalpha / DIGIT / "_" / "-" / "." / "*" )`
    private mutating func key(_ bytes: Span<UInt8>) -> Range<Int>? {
        let start = position
        while position < end {
            let byte = bytes[position]
            let starts = byte &- 0x61 < 26 || byte == 0x2A
            let continues = byte.isDigit || byte == 0x5F || byte == 0x2D || byte == 0x2E
            guard starts || (continues && position > start) else { break }
            position &+= 1
        }
        return position > start ? start..<position : nil
    }

    private mutating func parameters(_ bytes: Span<UInt8>) -> Bool {
        while take(bytes, 0x3B) {
            skipSpaces(bytes)
            guard key(bytes) != nil else { return false }
            if take(bytes, 0x3D), item(bytes) == nil { return false }
        }
        return true
    }

    private mutating func innerList(_ bytes: Span<UInt8>) -> Value? {
        position &+= 1
        while true {
            skipSpaces(bytes)
            if take(bytes, 0x29) { return .other }
            guard item(bytes) != nil, parameters(bytes), position < end,
                bytes[position] == 0x20 || bytes[position] == 0x29
            else { return nil }
        }
    }

    private mutating func item(_ bytes: Span<UInt8>) -> Value? {
        guard position < end else { return nil }
        let byte = bytes[position]
        switch byte {
        case 0x22: return string(bytes)
        case 0x3F:
            position &+= 1
            if take(bytes, 0x31) { return .isTrue }
            return take(bytes, 0x30) ? .other : nil
        case 0x3A: return binary(bytes)
        case 0x2D, 0x30...0x39: return number(bytes)
        default:
            guard byte == 0x2A || byte.lowercased &- 0x61 < 26 else { return nil }
            while position < end, bytes[position].isToken || bytes[position] == 0x3A || bytes[position] == 0x2F {
                position &+= 1
            }
            return .other
        }
    }

    /// At most 15 digits, or 12 and 1 to 3 behind a point.
    private mutating func number(_ bytes: Span<UInt8>) -> Value? {
        let isNegative = take(bytes, 0x2D)
        let start = position
        var value: Int64 = 0
        while position < end, bytes[position].isDigit {
            guard position &- start < 15 else { return nil }
            value = value &* 10 &+ Int64(bytes[position] &- 0x30)
            position &+= 1
        }
        let digits = position &- start
        guard digits > 0 else { return nil }
        guard take(bytes, 0x2E) else { return .integer(isNegative ? -value : value) }
        let fraction = position
        while position < end, bytes[position].isDigit { position &+= 1 }
        return digits <= 12 && (1...3).contains(position &- fraction) ? .other : nil
    }

    private mutating func string(_ bytes: Span<UInt8>) -> Value? {
        position &+= 1
        let start = position
        var isPlain = true
        while position < end {
            let byte = bytes[position]
            position &+= 1
            if byte == 0x22 { return .string(start..<(position &- 1), isPlain: isPlain) }
            if byte == 0x5C {
                isPlain = false
                guard take(bytes, 0x22) || take(bytes, 0x5C) else { return nil }
            } else if byte < 0x20 || byte > 0x7E {
                return nil
            }
        }
        return nil
    }

    private mutating func binary(_ bytes: Span<UInt8>) -> Value? {
        position &+= 1
        while position < end {
            let byte = bytes[position]
            position &+= 1
            if byte == 0x3A { return .other }
            let isBase64 = byte.isDigit || byte.lowercased &- 0x61 < 26 || byte == 0x2B || byte == 0x2F || byte == 0x3D
            guard isBase64 else { return nil }
        }
        return nil
    }
}
