// SPDX-License-Identifier: Apache-2.0
// One range of bytes, for an origin that can serve parts (RFC 9110 §14).

internal import Bytes

/// What a Range field asks of content of a known size.
public enum ByteRange: Sendable, Equatable {
    /// The field is to be ignored: malformed, another unit, or several ranges, which cost the server more than they are
    /// worth (§14.2 allows to ignore any).
    case ignore
    /// No byte of it exists: 416.
    case unsatisfiable
    /// These offsets, never empty, within the size: 206.
    case single(Range<UInt64>)

    /// Reads `bytes=first-last`, `bytes=first-` or `bytes=-suffix` for content of `size` bytes.
    public static func parse(_ value: Span<UInt8>, size: UInt64) -> ByteRange {
        guard value.count > 6, unsafe value.extracting(0..<6).bytes.isCaseless("bytes=") else { return .ignore }
        var offset = 6
        var end = value.count
        while offset < end, value[offset].isBlank { offset &+= 1 }
        while end > offset, value[end &- 1].isBlank { end &-= 1 }
        guard let first = number(value, &offset, end), offset < end, value[offset] == 0x2D else { return .ignore }
        offset &+= 1
        guard let last = number(value, &offset, end), offset == end else { return .ignore }
        switch (first, last) {
        case (nil, nil): return .ignore
        case (nil, let suffix?):
            guard suffix > 0, size > 0 else { return .unsatisfiable }
            return .single((size &- min(suffix, size))..<size)
        case (let first?, let last):
            // §14.1.1: a last position before the first makes the range invalid.
            if let last, last < first { return .ignore }
            guard first < size else { return .unsatisfiable }
            return .single(first..<(min(last ?? UInt64.max, size &- 1) &+ 1))
        }
    }

    /// A decimal number, clamped to 2^64 − 1; `.some(nil)` when there is no digit.
    private static func number(_ value: Span<UInt8>, _ offset: inout Int, _ end: Int) -> UInt64?? {
        let start = offset
        var number: UInt64 = 0
        while offset < end, value[offset].isDigit {
            let (tens, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(value[offset] &- 0x30))
            number = overflow || carry ? UInt64.max : sum
            offset &+= 1
        }
        return .some(offset == start ? nil : number)
    }
}
