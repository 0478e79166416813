// SPDX-License-Identifier: Apache-2.0
// Text that others chose, written so that it cannot end a line, close a quotation or reach a terminal: every byte that is
// not printable ASCII is escaped, and what is too long is cut.

import Bytes

extension Block {
    /// Appends `bytes` for a quoted field of the Combined Log Format: `"` and `\` get a backslash, other bytes `\xHH`. At
    /// most `limit` bytes are taken.
    func append(quoted bytes: Span<UInt8>, limit: Int) {
        let end = min(bytes.count, limit)
        var index = 0
        while index < end {
            // The common case in one go: nothing to escape up to the end.
            var plain = index
            while plain < end, bytes[plain] &- 0x20 < 0x5F, bytes[plain] != 0x22, bytes[plain] != 0x5C { plain += 1 }
            if plain > index { append(bytes.extracting(index..<plain)) }
            index = plain
            guard index < end else { break }
            let byte = bytes[index]
            if byte == 0x22 || byte == 0x5C {
                append(0x5C)
                append(byte)
            } else {
                append("\\x")
                append(hexadecimal: UInt64(byte), digits: 2)
            }
            index += 1
        }
        if end < bytes.count { append("...") }
    }

    /// Appends `bytes` as the inside of a JSON string. At most `limit` bytes are taken.
    func append(json bytes: Span<UInt8>, limit: Int) {
        let end = min(bytes.count, limit)
        JSONString.escape(bytes.extracting(0..<end)) { append($0) }
        if end < bytes.count { append("...") }
    }

    /// Appends nanoseconds as seconds with six decimals.
    func append(seconds nanoseconds: UInt64) {
        append(decimal: nanoseconds / 1_000_000_000)
        append(UInt8(ascii: "."))
        append(decimal: nanoseconds / 1_000 % 1_000_000, digits: 6)
    }
}
