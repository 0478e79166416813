// SPDX-License-Identifier: Apache-2.0
// Comma-separated lists (RFC 9110 §5.6.1), member by member.

internal import Bytes

/// Walks over the members of a list. Empty members are skipped; a comma inside a quoted string does not separate.
public struct ListReader: Sendable {
    private var position = 0

    /// A reader before the first member.
    public init() {}

    /// Offsets of the next member without the whitespace around it, or nil. `list` is the same in every call.
    public mutating func next(_ list: Span<UInt8>) -> Range<Int>? {
        while position < list.count {
            var start = position
            var isQuoted = false
            while position < list.count {
                let byte = list[position]
                if isQuoted {
                    // A quoted pair (RFC 9110 §5.6.4): the next byte is itself.
                    if byte == 0x5C { position &+= 1 } else if byte == 0x22 { isQuoted = false }
                } else if byte == 0x22 {
                    isQuoted = true
                } else if byte == 0x2C {
                    break
                }
                position &+= 1
            }
            position = min(position, list.count)
            var end = position
            position &+= 1
            while start < end, list[start].isBlank { start &+= 1 }
            while end > start, list[end &- 1].isBlank { end &-= 1 }
            if start < end { return start..<end }
        }
        return nil
    }
}

/// Questions about lists of tokens.
public enum TokenList {
    /// Whether a member of `list` is `token`, a literal in lower case, without regard to case.
    public static func contains(_ list: Span<UInt8>, _ token: StaticString) -> Bool {
        var reader = ListReader()
        while let member = reader.next(list) {
            if unsafe list.extracting(member).bytes.isCaseless(token) { return true }
        }
        return false
    }

    /// Whether a member of `list` is `token` without regard to case.
    public static func contains(_ list: Span<UInt8>, _ token: Span<UInt8>) -> Bool {
        var reader = ListReader()
        while let member = reader.next(list) {
            if list.extracting(member).equalsIgnoringCase(token) { return true }
        }
        return false
    }
}
