// SPDX-License-Identifier: Apache-2.0
// The fields behind the last chunk (RFC 9112 §7.1.2). They stay apart from the head's: merging them is how a sender gets
// fields past whoever looked at the head (RFC 9110 §6.5.1).

public import Bytes

/// Validated trailer lines. Made only when there are any.
public struct Trailers: Sendable, Equatable {
    /// Most bytes of a trailer section, lines with their CRLF.
    public static let byteLimit = 8_192
    /// Most lines.
    public static let lineLimit = 32

    /// The lines as they came, those that are dropped as well.
    public private(set) var bytes: [UInt8] = []
    /// The lines that may be passed on (`FieldName.isAllowedInTrailer`), as offsets into `bytes`.
    public private(set) var fields: [Field] = []
    private var lineStart = 0
    private var lines = 0

    init() {}

    /// Takes one more byte; `.ended` when it completed the empty line.
    mutating func take(_ byte: UInt8) -> Outcome {
        guard bytes.count < Trailers.byteLimit else { return .failed(.trailersTooLarge) }
        bytes.append(byte)
        guard byte == 0x0A else { return .more }
        let end = bytes.count &- 2
        guard end >= lineStart, bytes[end] == 0x0D else { return .failed(.badTrailer) }
        let line = lineStart..<end
        if line.isEmpty {
            bytes.removeLast(2)
            return .ended
        }
        lines &+= 1
        guard lines <= Trailers.lineLimit else { return .failed(.trailersTooLarge) }
        do {
            let field = try parseFieldLine(bytes.span, line)
            if field.name.isAllowedInTrailer { fields.append(field) }
        } catch {
            return .failed(.badTrailer)
        }
        lineStart = bytes.count
        return .more
    }

    enum Outcome { case more, ended, failed(ParseFailure.Reason) }
}

extension Trailers {
    /// Keeps the lines whose names may be forwarded, as `forwards` says.
    public mutating func keep(where forwards: (Field, Span<UInt8>) -> Bool) {
        let bytes = bytes
        fields.removeAll { !forwards($0, bytes.span.extracting($0.nameRange)) }
    }

    /// Bytes that `write` needs at most: a line that came without a space behind its colon gets one.
    public var serialisedLimit: Int { bytes.count + fields.count }

    /// Appends the lines that may be passed on, without the empty line behind them.
    public func write(to block: Block) {
        let span = bytes.span
        for field in fields {
            block.appendField(name: span.extracting(field.nameRange), value: span.extracting(field.valueRange))
        }
    }
}
