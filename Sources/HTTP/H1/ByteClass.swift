// SPDX-License-Identifier: Apache-2.0
// Which bytes may stand where, and comparing a few of them at a time.
//
// A class is two 64-bit masks, one bit per ASCII byte: two shifts decide, no table in memory, no lazy initialisation.

/// A set of ASCII bytes.
@usableFromInline struct ByteClass {
    /// Bytes 0–63.
    @usableFromInline let low: UInt64
    /// Bytes 64–127.
    @usableFromInline let high: UInt64

    @inlinable @inline(__always) init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// Whether `byte` is in the set; bytes from 0x80 never are.
    @inlinable @inline(__always) func contains(_ byte: UInt8) -> Bool {
        let mask = byte & 0x40 == 0 ? low : high
        return (mask &>> UInt64(byte & 0x3F)) & 1 != 0 && byte < 0x80
    }

    /// tchar (RFC 9110 §5.6.2): ``!#$%&'*+-.^_`|~``, digits, letters.
    @inlinable static var token: ByteClass {
        @inline(__always) get { ByteClass(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE) }
    }
    /// unreserved and sub-delims of RFC 3986 §2 without the comma: ``!$&'()*+-.;=_~``, digits, letters.
    static var host: ByteClass {
        @inline(__always) get { ByteClass(low: 0x2BFF_6FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
    }
    /// Hexadecimal digits.
    static var hexadecimal: ByteClass {
        @inline(__always) get { ByteClass(low: 0x03FF_0000_0000_0000, high: 0x0000_007E_0000_007E) }
    }
}

extension UInt8 {
    /// Whether the byte is a space or a horizontal tab: the whitespace of RFC 9110 §5.6.3.
    @inlinable @inline(__always) public var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// Whether the byte is a tchar (RFC 9110 §5.6.2), one of which tokens are made.
    @inlinable @inline(__always) public var isToken: Bool { ByteClass.token.contains(self) }

    /// Whether the byte may stand in a field value (RFC 9110 §5.5): HTAB, SP, visible ASCII, 0x80–0xFF.
    @inline(__always) var isFieldContent: Bool { (self >= 0x20 && self != 0x7F) || self == 0x09 }
}

/// Eight ASCII bytes with their upper-case letters made lower-case; other bytes stay.
@inline(__always) private func folded(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let heptets = word & (ones &* 0x7F)
    let aboveZ = heptets &+ ones &* (0x7F - 0x5A)
    let fromA = heptets &+ ones &* (0x80 - 0x41)
    let upper = ~word & (fromA ^ aboveZ) & (ones &* 0x80)
    return word | (upper &>> 2)
}

extension RawSpan {
    /// `count` (1...8) bytes from `offset` as one integer, as they lie in memory.
    @inline(__always) private func word(_ offset: Int, _ count: Int) -> UInt64 {
        switch count {
        case 8: return unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        case 4...7:
            let first = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let last = unsafe unsafeLoadUnaligned(fromByteOffset: offset &+ count &- 4, as: UInt32.self)
            return UInt64(first) | UInt64(last) &<< 32
        case 2...3:
            let first = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
            let last = unsafe unsafeLoadUnaligned(fromByteOffset: offset &+ count &- 2, as: UInt16.self)
            return UInt64(first) | UInt64(last) &<< 16
        default: return UInt64(unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self))
        }
    }

    /// Whether the bytes are those of `lowercase`, a literal in lower case, without regard to ASCII case.
    @inline(__always) func isCaseless(_ lowercase: StaticString) -> Bool {
        let length = lowercase.utf8CodeUnitCount
        guard byteCount == length, length > 0 else { return false }
        let expected = unsafe RawSpan(_unsafeStart: lowercase.utf8Start, byteCount: length)
        var offset = 0
        while offset < length {
            // The last word overlaps the one before it, so that no tail of single bytes remains.
            let size = length < 8 ? length : 8
            let at = min(offset, length &- size)
            guard folded(word(at, size)) == expected.word(at, size) else { return false }
            offset &+= 8
        }
        return true
    }

    /// Whether the bytes are exactly those of `literal`.
    @inline(__always) func isExactly(_ literal: StaticString) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard byteCount == length, length > 0 else { return false }
        let expected = unsafe RawSpan(_unsafeStart: literal.utf8Start, byteCount: length)
        var offset = 0
        while offset < length {
            let size = length < 8 ? length : 8
            let at = min(offset, length &- size)
            guard word(at, size) == expected.word(at, size) else { return false }
            offset &+= 8
        }
        return true
    }

    /// Offset of the first byte in `range` that may not stand in a field value, or nil. Eight bytes at a time.
    @inline(__always) func firstNonContent(_ range: Range<Int>) -> Int? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var offset = range.lowerBound
        while offset < range.upperBound {
            if offset &+ 8 <= range.upperBound {
                let word = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
                let controls = (word &- ones &* 0x20) & ~word
                let delete = word ^ (ones &* 0x7F)
                let deletes = (delete &- ones) & ~delete
                if (controls | deletes) & (ones &* 0x80) == 0 {
                    offset &+= 8
                    continue
                }
            }
            // A word with a control byte (a tab, most likely), or the tail: byte by byte.
            let end = min(offset &+ 8, range.upperBound)
            while offset < end {
                guard unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self).isFieldContent else {
                    return offset
                }
                offset &+= 1
            }
        }
        return nil
    }
}
