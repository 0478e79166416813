// SPDX-License-Identifier: Apache-2.0

public import Bytes

/// Content-Range (RFC 9110 §14.4): which part of a representation came, in bytes.
public struct ContentRange: Sendable, Equatable {
    /// The offsets that came, never empty; nil in a 416, which names the length only.
    public var range: Range<UInt64>?
    /// The length of the whole representation, nil when the sender did not know it (`*`).
    public var total: UInt64?

    /// A part of something of `total` bytes.
    public init(range: Range<UInt64>?, total: UInt64?) {
        self.range = range
        self.total = total
    }

    /// Reads `bytes first-last/total`, `bytes first-last/*` or `bytes */total`; nil for anything else: another unit, a
    /// last position before the first one or not below the total (§14.4: such a value is invalid and must not be
    /// recombined), numbers of more than 18 digits.
    public static func parse(_ value: Span<UInt8>) -> ContentRange? {
        guard value.count > 6, unsafe value.extracting(0..<5).bytes.isCaseless("bytes"), value[5] == 0x20 else {
            return nil
        }
        var offset = 6
        if value[offset] == 0x2A {
            offset &+= 1
            guard take(value, &offset, 0x2F), let total = number(value, &offset), offset == value.count else {
                return nil
            }
            return ContentRange(range: nil, total: total)
        }
        guard let first = number(value, &offset), take(value, &offset, 0x2D), let last = number(value, &offset),
            take(value, &offset, 0x2F), first <= last
        else { return nil }
        if offset &+ 1 == value.count, value[offset] == 0x2A {
            return ContentRange(range: first..<(last &+ 1), total: nil)
        }
        guard let total = number(value, &offset), offset == value.count, last < total else { return nil }
        return ContentRange(range: first..<(last &+ 1), total: total)
    }

    /// Appends the value, 66 bytes at most (needs room for 72).
    public func append(to block: Block) {
        block.append("bytes ")
        if let range {
            block.append(decimal: range.lowerBound)
            block.append(0x2D)
            block.append(decimal: range.upperBound &- 1)
        } else {
            block.append(0x2A)
        }
        block.append(0x2F)
        if let total { block.append(decimal: total) } else { block.append(0x2A) }
    }

    private static func take(_ value: Span<UInt8>, _ offset: inout Int, _ byte: UInt8) -> Bool {
        guard offset < value.count, value[offset] == byte else { return false }
        offset &+= 1
        return true
    }

    /// A number of at most 18 digits.
    private static func number(_ value: Span<UInt8>, _ offset: inout Int) -> UInt64? {
        let start = offset
        var number: UInt64 = 0
        while offset < value.count, value[offset].isDigit {
            // 18 digits cannot overflow, and nothing is that large.
            guard offset &- start < 18 else { return nil }
            number = number &* 10 &+ UInt64(value[offset] &- 0x30)
            offset &+= 1
        }
        return offset == start ? nil : number
    }
}
