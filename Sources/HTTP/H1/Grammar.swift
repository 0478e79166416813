// SPDX-License-Identifier: Apache-2.0
// Which bytes may stand where. Bit masks rather than tables: they are constants in the code, need no set-up and no memory.

import Bytes

extension UInt8 {
    /// `tchar` (RFC 9110 section 5.6.2): ``!#$%&'*+-.^_`|~``, digits and letters.
    @inlinable var isToken: Bool {
        let low: UInt64 = 0x03FF_6CFA_0000_0000
        let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
        return self < 128 && (self < 64 ? low : high) >> UInt64(self & 63) & 1 == 1
    }

    /// What a field value may hold (RFC 9110 section 5.5): visible ASCII, space, tab, and bytes above ASCII.
    @inlinable var isFieldValue: Bool { self >= 0x20 && self != 0x7F || self == 0x09 }

    /// What a request target may hold here: visible ASCII without `#` and `\`.
    ///
    /// RFC 3986 allows less, but browsers send `"`, `<`, `>`, `^`, `` ` ``, `{`, `|` and `}` as they are typed; they are
    /// passed on byte for byte. A fragment never belongs in a request (RFC 9110 section 7.1), and a backslash is a slash to
    /// some and not to others.
    @inlinable var isTarget: Bool { self > 0x20 && self < 0x7F && self != 0x23 && self != 0x5C }

    /// What a host's name may hold: unreserved, sub-delims and `%` of RFC 3986 section 3.2.2, without the comma, which
    /// joins two hosts into a list.
    @inlinable var isRegisteredName: Bool {
        switch self {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: true  // letters, digits
        case 0x2D, 0x2E, 0x5F, 0x7E: true  // -._~
        case 0x21, 0x24, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x3B, 0x3D, 0x25: true  // !$&'()*+;=%
        default: false
        }
    }

    /// The value of a hexadecimal digit.
    @inlinable var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self &- 0x30
        case 0x61...0x66: self &- 0x57
        case 0x41...0x46: self &- 0x37
        default: nil
        }
    }
}

enum Grammar {
    /// Whether the bytes are a valid `uri-host [ ":" port ]` and not empty.
    static func isAuthority(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0 else { return false }
        var index = 0
        if bytes[0] == UInt8(ascii: "[") {
            index = 1
            while index < bytes.count, bytes[index] != UInt8(ascii: "]") {
                // IPv6 as RFC 4291 spells it, with an IPv4 tail perhaps; no zone (RFC 9110 section 4.2.4 knows none).
                guard bytes[index].hexadecimalValue != nil || bytes[index] == UInt8(ascii: ":") || bytes[index] == UInt8(ascii: ".")
                else { return false }
                index += 1
            }
            guard index > 2, index < bytes.count else { return false }
            index += 1
        } else {
            while index < bytes.count, bytes[index].isRegisteredName { index += 1 }
            guard index > 0 else { return false }
        }
        if index == bytes.count { return true }
        guard bytes[index] == UInt8(ascii: ":") else { return false }
        index += 1
        // `host:` with an empty port is allowed by RFC 3986 section 3.2.3.
        var port = 0
        while index < bytes.count {
            guard bytes[index].isDigit else { return false }
            port = port * 10 + Int(bytes[index] & 15)
            guard port <= 65_535 else { return false }
            index += 1
        }
        return true
    }

    /// A decimal number of 1 to 19 digits that is at most 2^63 - 1.
    static func decimal(_ bytes: Span<UInt8>) -> UInt64? {
        guard bytes.count > 0, bytes.count <= 19 else { return nil }
        var value: UInt64 = 0
        for index in bytes.indices {
            guard bytes[index].isDigit else { return nil }
            // 19 nines are below 2^64, so this cannot overflow.
            value = value &* 10 &+ UInt64(bytes[index] & 15)
        }
        return value <= UInt64(Int64.max) ? value : nil
    }
}
