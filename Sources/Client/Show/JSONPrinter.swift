// SPDX-License-Identifier: Apache-2.0
// JSON with line breaks and indents, while it comes: nothing but white space between tokens is changed, so what is not JSON
// comes out as what it is.

/// Re-indents JSON. Pure; pieces may be cut anywhere.
public struct JSONPrinter: Sendable {
    /// Deeper than this, indents do not grow: a million brackets must not become a million million spaces.
    static let deepestIndent = 64
    private let hasColours: Bool
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isKey = true
    private var awaitsFirst = false
    private var isAtStart = true

    /// One at the start of a text.
    public init(hasColours: Bool) { self.hasColours = hasColours }

    /// The next piece, printed.
    public mutating func take(_ bytes: Span<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count * 2)
        for index in bytes.indices { take(bytes[index], &out) }
        return out
    }

    private mutating func take(_ byte: UInt8, _ out: inout [UInt8]) {
        if isInString {
            out.append(byte)
            if isEscaped {
                isEscaped = false
            } else if byte == 0x5C {
                isEscaped = true
            } else if byte == 0x22 {
                isInString = false
                if hasColours { out += "\u{1B}[0m".utf8 }
            }
            return
        }
        if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { return }
        let closes = byte == 0x7D || byte == 0x5D
        if awaitsFirst, !closes { newLine(&out) }
        isAtStart = false
        switch byte {
        case 0x7B, 0x5B:
            out.append(byte)
            depth += 1
            awaitsFirst = true
            isKey = byte == 0x7B
            return
        case 0x7D, 0x5D:
            depth = max(0, depth - 1)
            if !awaitsFirst { newLine(&out) }
            out.append(byte)
        case 0x2C:
            out.append(byte)
            newLine(&out)
            isKey = true
        case 0x3A:
            out += ": ".utf8
            isKey = false
        case 0x22:
            isInString = true
            if hasColours { out += (isKey ? "\u{1B}[34m" : "\u{1B}[32m").utf8 }
            out.append(byte)
        default: out.append(byte)
        }
        awaitsFirst = false
    }

    private func newLine(_ out: inout [UInt8]) {
        out.append(0x0A)
        for _ in 0..<min(depth, Self.deepestIndent) { out += "  ".utf8 }
    }

    /// What belongs behind the last piece.
    public mutating func finish() -> [UInt8] { isAtStart ? [] : [0x0A] }
}
