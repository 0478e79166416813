// SPDX-License-Identifier: Apache-2.0
// Heads are read line by line as the bytes come in. The reader remembers where the present line starts and how far it has
// looked for its end, so that a head that arrives a byte at a time costs no more than one that arrives whole.

import Bytes

/// Finds the lines of a head in bytes that start at the same place in every call and only grow.
struct LineReader: Sendable {
    /// Offset of the present line.
    private(set) var lineStart = 0
    private var searched = 0

    /// The next line without its CR LF, or nil when it has not arrived whole.
    ///
    /// - Parameter tooLong: what a line beyond `limits.lineBytes` is called.
    mutating func next(
        _ bytes: Span<UInt8>, limits: HeadLimits, tooLong: ParseFailure.Reason
    ) throws(ParseFailure) -> Range<Int>? {
        guard let end = bytes.firstIndex(of: 0x0A, from: searched) else {
            searched = bytes.count
            if bytes.count - lineStart > limits.lineBytes { throw ParseFailure(tooLong, at: lineStart + limits.lineBytes) }
            if bytes.count > limits.headBytes { throw ParseFailure(.headTooLarge, at: limits.headBytes) }
            return nil
        }
        // RFC 9112 section 2.2 lets a recipient take a bare LF for the end of a line; what lies in front of another server
        // must not, because that server may read on.
        guard end > lineStart, bytes[end - 1] == 0x0D else { throw ParseFailure(.bareLF, at: end) }
        let line = lineStart..<end - 1
        if line.count > limits.lineBytes { throw ParseFailure(tooLong, at: lineStart + limits.lineBytes) }
        if end >= limits.headBytes { throw ParseFailure(.headTooLarge, at: limits.headBytes) }
        lineStart = end + 1
        searched = end + 1
        return line
    }

    mutating func reset() {
        lineStart = 0
        searched = 0
    }
}

/// One field line taken apart and checked (RFC 9112 section 5, RFC 9110 section 5).
enum FieldLine {
    static func parse(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(ParseFailure) -> Field {
        let start = line.lowerBound
        let end = line.upperBound
        var index = start
        while index < end, bytes[index].isToken { index += 1 }
        guard index < end else { throw ParseFailure(index == start ? .emptyFieldName : .missingColon, at: index) }
        guard bytes[index] == UInt8(ascii: ":") else {
            let byte = bytes[index]
            // RFC 9112 section 5.2: a folded line is refused, in both directions.
            if index == start, byte == 0x20 || byte == 0x09 { throw ParseFailure(.foldedLine, at: index) }
            // RFC 9112 section 5.1: no white space before the colon.
            if byte == 0x20 || byte == 0x09 { throw ParseFailure(.spaceBeforeColon, at: index) }
            throw ParseFailure(byte == 0x0D ? .bareCR : .badFieldName, at: index)
        }
        guard index > start else { throw ParseFailure(.emptyFieldName, at: index) }
        let name = start..<index
        index += 1
        var valueEnd = end
        while index < valueEnd, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
        while valueEnd > index, bytes[valueEnd - 1] == 0x20 || bytes[valueEnd - 1] == 0x09 { valueEnd -= 1 }
        let value = index..<valueEnd
        while index < valueEnd {
            guard bytes[index].isFieldValue else {
                throw ParseFailure(bytes[index] == 0x0D ? .bareCR : .badFieldValue, at: index)
            }
            index += 1
        }
        return Field(name: FieldName.recognise(bytes.extracting(name)), nameRange: name, valueRange: value)
    }
}
