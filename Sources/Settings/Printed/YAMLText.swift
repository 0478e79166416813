// SPDX-License-Identifier: Apache-2.0
// Strings as YAML has them, for the dump: always in double quotes, so that no value turns into a number, a null or a
// comment when it is read again.

import Bytes

enum YAMLText {
    static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{20}"..."\u{7E}", "\u{A0}"..."\u{2027}", "\u{202A}"..."\u{D7FF}", "\u{E000}"..."\u{FEFE}":
                result.unicodeScalars.append(scalar)
            case "\u{FF00}"..."\u{FFFD}", "\u{10000}"...: result.unicodeScalars.append(scalar)
            default:
                result += "\\u" + String(hexadecimal: UInt64(scalar.value), digits: 4, uppercase: true)
            }
        }
        return result + "\""
    }
}
