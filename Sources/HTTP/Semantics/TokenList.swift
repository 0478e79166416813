// SPDX-License-Identifier: Apache-2.0
public import Bytes

/// Comma-separated lists (RFC 9110 section 5.6.1).
public enum TokenList {
    /// The next member at or after `position`, without white space around it; empty members are passed over, and a comma
    /// inside a quoted string does not end one. Nil at the end.
    public static func next(_ list: Span<UInt8>, from position: inout Int) -> Range<Int>? {
        while position < list.count {
            var start = position
            var end = start
            var isQuoted = false
            while end < list.count, isQuoted || list[end] != UInt8(ascii: ",") {
                if list[end] == UInt8(ascii: "\"") {
                    isQuoted.toggle()
                } else if isQuoted, list[end] == UInt8(ascii: "\\"), end + 1 < list.count {
                    end += 1
                }
                end += 1
            }
            position = end + 1
            while start < end, list[start] == 0x20 || list[start] == 0x09 { start += 1 }
            while end > start, list[end - 1] == 0x20 || list[end - 1] == 0x09 { end -= 1 }
            if end > start { return start..<end }
        }
        return nil
    }

    /// Whether one of the members is `lowercase`, without regard to case.
    public static func contains(_ list: Span<UInt8>, _ lowercase: StaticString) -> Bool {
        contains(list, lowercase.span)
    }

    /// Whether one of the members is `name`, without regard to case.
    public static func contains(_ list: Span<UInt8>, _ name: Span<UInt8>) -> Bool {
        var position = 0
        while let range = next(list, from: &position) {
            if list.extracting(range).equalsIgnoringCase(name) { return true }
        }
        return false
    }
}
