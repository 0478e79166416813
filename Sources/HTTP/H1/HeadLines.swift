// SPDX-License-Identifier: Apache-2.0
// Lines and field lines of a head, the same for requests, responses and trailers.

internal import Bytes

/// Finds the lines of a head in bytes that grow, without looking at any byte twice for the line's end.
struct HeadLines {
    /// Offset of the first byte of the current line.
    var lineStart = 0
    /// No LF is in `lineStart..<searched`.
    var searched = 0

    /// The next whole line without its CRLF, or nil when more bytes are needed. `tooLong`: what a line over the limit is.
    ///
    /// Which limit is broken depends on the head alone, not on how it was cut into pieces: of the line's and the head's
    /// limit, the one that ends earlier counts.
    @inline(__always) mutating func next(
        _ bytes: Span<UInt8>, _ limits: HeadLimits, tooLong: ParseFailure.Reason
    )
        throws(ParseFailure) -> Range<Int>?
    {
        let lineLimit = lineStart &+ limits.lineBytes
        let limit = min(lineLimit, limits.headBytes)
        let reason = lineLimit <= limits.headBytes ? tooLong : .headTooLarge
        guard let feed = bytes.firstIndex(of: 0x0A, from: searched) else {
            searched = bytes.count
            guard bytes.count <= limit else { throw ParseFailure(reason, at: limit) }
            return nil
        }
        guard feed < limit else { throw ParseFailure(reason, at: limit) }
        // RFC 9112 §2.2 allows to take a lone LF for a line's end; two parsers that differ in this are how requests are
        // smuggled, so it is refused.
        guard feed > lineStart, bytes[feed &- 1] == 0x0D else { throw ParseFailure(.bareLF, at: feed) }
        let line = lineStart..<(feed &- 1)
        lineStart = feed &+ 1
        searched = lineStart
        return line
    }
}

/// Reads one field line, not empty, without its CRLF (RFC 9112 §5).
@inline(__always) func parseFieldLine(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(ParseFailure) -> Field {
    var offset = line.lowerBound
    let end = line.upperBound
    var underscore = false
    while offset < end {
        let byte = bytes[offset]
        guard ByteClass.token.contains(byte) else { break }
        if byte == 0x5F { underscore = true }
        offset &+= 1
    }
    let nameRange = line.lowerBound..<offset
    guard offset < end, bytes[offset] == 0x3A, !nameRange.isEmpty else {
        throw ParseFailure(reasonOfBadName(bytes, line, offset), at: offset)
    }
    offset &+= 1
    var valueEnd = end
    while offset < valueEnd, bytes[offset].isBlank { offset &+= 1 }
    while valueEnd > offset, bytes[valueEnd &- 1].isBlank { valueEnd &-= 1 }
    // RFC 9110 §5.5 allows to replace CR, LF and NUL by SP; to refuse is the other choice it gives. Other controls are
    // invalid there and refused as well.
    if let bad = unsafe bytes.bytes.firstNonContent(offset..<valueEnd) {
        throw ParseFailure(bytes[bad] == 0x0D ? .bareCR : .badFieldValue, at: bad)
    }
    let name = FieldName.recognise(bytes.extracting(nameRange))
    var field = Field(nameRange: nameRange, valueRange: offset..<valueEnd, name: name)
    field.nameHasUnderscore = underscore
    return field
}

/// Why the name of a field line is not one. `offset`: the first byte that is no token byte.
@inline(never) private func reasonOfBadName(
    _ bytes: Span<UInt8>, _ line: Range<Int>, _ offset: Int
)
    -> ParseFailure.Reason
{
    guard offset < line.upperBound else { return .missingColon }
    let byte = bytes[offset]
    if byte == 0x0D { return .bareCR }
    if offset == line.lowerBound {
        // A continuation of the line before (obs-fold, RFC 9112 §5.2), or whitespace before the first line (§2.2).
        if byte.isBlank { return .foldedLine }
        if byte == 0x3A { return .emptyFieldName }
    }
    guard let colon = bytes.firstIndex(of: 0x3A, from: offset), colon < line.upperBound else { return .missingColon }
    var next = offset
    while next < colon, bytes[next].isBlank { next &+= 1 }
    return next == colon ? .spaceBeforeColon : .badFieldName
}
