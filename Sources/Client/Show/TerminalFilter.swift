// SPDX-License-Identifier: Apache-2.0

import Bytes

/// Makes a body harmless for a terminal, piece by piece: line ends and tabs stay, and so does printable UTF-8, wherever the
/// pieces are cut.
struct TerminalFilter: Sendable {
    /// The bytes of a character that is not complete, or a CR that may be part of a line end.
    private var pending: [UInt8] = []
    private var missing = 0

    /// The next piece, made harmless.
    mutating func take(_ bytes: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 8)
        for index in bytes.indices { take(bytes[index], &result) }
        return result
    }

    private mutating func take(_ byte: UInt8, _ result: inout [UInt8]) {
        if pending == [0x0D] {
            pending = []
            // A CR alone goes back to the start of the line and writes over what was there.
            result += byte == 0x0A ? [0x0D] : Array(Escaping.escape(0x0D).utf8)
        }
        if missing > 0 {
            guard byte & 0xC0 == 0x80 else {
                flush(&result)
                take(byte, &result)
                return
            }
            pending.append(byte)
            missing -= 1
            guard missing == 0 else { return }
            let text = String(decoding: pending, as: UTF8.self)
            if let scalar = text.unicodeScalars.first, Array(text.utf8) == pending, Escaping.isHarmless(scalar) {
                result += pending
                pending = []
            } else {
                flush(&result)
            }
            return
        }
        switch byte {
        case 0x0A, 0x09, 0x20...0x7E: result.append(byte)
        case 0x0D: pending = [byte]
        case 0xC2...0xDF: begin(byte, 1)
        case 0xE0...0xEF: begin(byte, 2)
        case 0xF0...0xF4: begin(byte, 3)
        default: result += Escaping.escape(byte).utf8
        }
    }

    private mutating func begin(_ byte: UInt8, _ count: Int) {
        pending = [byte]
        missing = count
    }

    private mutating func flush(_ result: inout [UInt8]) {
        for byte in pending { result += Escaping.escape(byte).utf8 }
        pending = []
        missing = 0
    }

    /// What is still there at the end.
    mutating func finish() -> [UInt8] {
        var result: [UInt8] = []
        flush(&result)
        return result
    }
}
