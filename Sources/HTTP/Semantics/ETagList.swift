// SPDX-License-Identifier: Apache-2.0

internal import Bytes

/// Lists of entity tags in If-Match, If-None-Match and If-Range (RFC 9110 §8.8.3, §13.1).
public enum ETagList {
    /// How two tags are compared (RFC 9110 §8.8.3.2).
    public enum Comparison: Sendable {
        /// Both must be strong. For If-Match and If-Range.
        case strong
        /// `W/` is ignored. For If-None-Match.
        case weak
    }

    /// Whether `list` has `tag` in it or is `*`. `tag` is a whole entity tag with its quotes. A member that is not an
    /// entity tag matches nothing.
    public static func matches(_ list: Span<UInt8>, _ tag: Span<UInt8>, _ comparison: Comparison) -> Bool {
        let isWeak = tag.count > 2 && tag[0] == 0x57 && tag[1] == 0x2F
        let opaque = tag.extracting((isWeak ? 2 : 0)..<tag.count)
        var offset = 0
        var members = 0
        while true {
            while offset < list.count, list[offset].isBlank || list[offset] == 0x2C { offset &+= 1 }
            guard offset < list.count else { return false }
            if list[offset] == 0x2A {
                // Only alone (RFC 9110 §13.1.1).
                var rest = offset &+ 1
                while rest < list.count, list[rest].isBlank { rest &+= 1 }
                return members == 0 && rest == list.count
            }
            members &+= 1
            var memberIsWeak = false
            if list[offset] == 0x57, offset &+ 1 < list.count, list[offset &+ 1] == 0x2F {
                memberIsWeak = true
                offset &+= 2
            }
            // No quoted pairs in entity tags: a backslash is itself.
            guard offset < list.count, list[offset] == 0x22,
                let close = list.firstIndex(of: 0x22, from: offset &+ 1)
            else { return false }
            let member = list.extracting(offset..<(close &+ 1))
            offset = close &+ 1
            let counts = comparison == .weak || (!isWeak && !memberIsWeak)
            if counts, member.equals(opaque) { return true }
            while offset < list.count, list[offset].isBlank { offset &+= 1 }
            guard offset == list.count || list[offset] == 0x2C else { return false }
        }
    }
}
