// SPDX-License-Identifier: Apache-2.0
// Bytes from elsewhere, made fit for a terminal or a log: an escape sequence could clear the screen, change its title or
// type for the user.

/// Makes control bytes visible.
public enum Escaping {
    /// Text with every byte that is not printable ASCII or part of printable UTF-8 as `\x1b`.
    public static func visible(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if isHarmless(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                for byte in String(scalar).utf8 { result += escape(byte) }
            }
        }
        return result
    }

    /// The same for one line of a log: ASCII without spaces only.
    static func plain(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            if byte > 0x20, byte < 0x7F {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += escape(byte)
            }
        }
        return result
    }

    /// The same for lines: line ends and tabs stay.
    public static func visibleLines(_ bytes: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            let isC1 = byte == 0xC2 && index + 1 < bytes.count && bytes[index + 1] < 0xA0
            if byte >= 0x20 && byte != 0x7F && !isC1 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
                result.append(byte)
            } else {
                result += escape(byte).utf8
            }
            index += 1
        }
        return result
    }

    private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    private static func escape(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
    }
}
