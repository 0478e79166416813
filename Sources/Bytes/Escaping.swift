// SPDX-License-Identifier: Apache-2.0
// Text from elsewhere, made fit for a terminal, a log or JSON: an escape sequence could clear the screen, change its title or type for
// the user, and a quotation mark could end what it stands in.

/// Makes control bytes visible. Allocates: not for the data plane.
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
    public static func plain(_ text: String) -> String {
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

    /// Whether a character has a shape, and does nothing but show it.
    public static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    /// A byte as `\x1b`.
    public static func escape(_ byte: UInt8) -> String { "\\x" + String(hexadecimal: UInt64(byte), digits: 2) }
}

/// The inside of strings in JSON (RFC 8259 section 7).
public enum JSONString {
    /// Hands on, byte by byte, what stands for bytes that others chose: those that are no printable ASCII become `\u00HH`, one by one,
    /// since nobody says that they are UTF-8.
    @inlinable public static func escape(_ bytes: Span<UInt8>, append: (UInt8) -> Void) {
        for index in bytes.indices {
            let byte = bytes[index]
            switch byte {
            case 0x22, 0x5C:
                append(0x5C)
                append(byte)
            case 0x20...0x7E: append(byte)
            default:
                append(0x5C)
                append(0x75)
                append(0x30)
                append(0x30)
                append(UInt8(hexadecimalDigit: byte >> 4))
                append(UInt8(hexadecimalDigit: byte & 15))
            }
        }
    }

    /// What stands for text, in which only control characters, quotation marks and backslashes are escaped. Allocates.
    public static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    result += "\\u" + String(hexadecimal: UInt64(scalar.value), digits: 4)
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result
    }
}
