// SPDX-License-Identifier: Apache-2.0
// Hexadecimal digits, read and written.

extension UInt8 {
    /// The value of a hexadecimal digit of either case, or 16.
    @inlinable @inline(__always) public var hexadecimalValue: UInt8 {
        let digit = self &- 0x30
        if digit < 10 { return digit }
        let letter = (self | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : 16
    }

    /// Whether the byte is a hexadecimal digit, and no capital letter.
    @inlinable public var isLowerHexadecimal: Bool { isDigit || self &- 0x61 < 6 }

    /// The digit, lower-case, of a value below 16.
    @inlinable @inline(__always) public init(hexadecimalDigit value: UInt8) {
        self = value &+ (value < 10 ? 0x30 : 0x57)
    }
}

extension UInt64 {
    /// The number of at most 16 lower-case hexadecimal digits; nil when they are others, or more.
    public init?(hexadecimal digits: Span<UInt8>) {
        guard digits.count <= 16 else { return nil }
        self = 0
        for index in digits.indices {
            guard digits[index].isLowerHexadecimal else { return nil }
            self = self << 4 | UInt64(digits[index].hexadecimalValue)
        }
    }
}

extension String {
    /// A number in hexadecimal, with zeros in front up to so many digits. Allocates: not for the data plane.
    public init(hexadecimal value: UInt64, digits: Int, uppercase: Bool = false) {
        let text = String(value, radix: 16, uppercase: uppercase)
        self = String(repeating: "0", count: Swift.max(0, digits - text.utf8.count)) + text
    }
}
