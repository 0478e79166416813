// SPDX-License-Identifier: Apache-2.0
// Heads into bytes. The caller has computed the sizes: each function requires that there is room.
//
// What is written here was validated when it was parsed or is a literal; that it is free of CR, LF and NUL, on which the
// framing of everything behind it depends, is checked again in debug builds.

public import Bytes

extension Block {
    /// Appends `HTTP/1.1 200 OK` and CRLF: 15 bytes and the reason. `status`: 100...999.
    public func appendStatusLine(status: UInt16, reason: Span<UInt8>) {
        assert(reason.isSafeInHead, "a reason phrase would end the line")
        append("HTTP/1.1 ")
        appendDigits(status)
        append(0x20)
        append(reason)
        appendLineEnd()
    }

    /// Appends a status line with the standard reason phrase: at most 15 + 31 bytes.
    public func appendStatusLine(status: UInt16) {
        append("HTTP/1.1 ")
        appendDigits(status)
        append(0x20)
        append(StandardReason.phrase(status))
        appendLineEnd()
    }

    /// Appends `name: value` and CRLF: both and 4 bytes.
    public func appendField(name: Span<UInt8>, value: Span<UInt8>) {
        assert(name.isSafeInHead && value.isSafeInHead, "a field would end the line")
        append(line: name, value)
    }

    /// Appends `name: value` and CRLF: both and 4 bytes.
    public func appendField(_ name: StaticString, _ value: Span<UInt8>) {
        assert(value.isSafeInHead, "a field would end the line")
        append(line: name, value)
    }

    /// Appends `name: value` and CRLF: both and 4 bytes.
    public func appendField(_ name: StaticString, _ value: StaticString) { append(line: name, value.span) }

    /// Appends `name: number` and CRLF. Needs room for the name and 24 bytes.
    public func appendField(_ name: StaticString, decimal: UInt64) {
        append(name)
        appendSeparator()
        append(decimal: decimal)
        appendLineEnd()
    }

    /// Appends the line before a chunk of `size` bytes (RFC 9112 §7.1): at most 18 bytes. Behind the data goes a CRLF.
    public func appendChunkSize(_ size: Int) {
        precondition(size > 0, "a chunk of no bytes is the last one")
        append(hexadecimal: UInt64(size))
        appendLineEnd()
    }

    /// Appends the last chunk, the trailers that may be passed on, and the empty line: `lastChunkLimit` bytes at most.
    public func appendLastChunk(_ trailers: Trailers? = nil) {
        append("0\r\n")
        if let trailers { trailers.write(to: self) }
        appendLineEnd()
    }

    /// Bytes that `appendLastChunk` needs at most.
    public static func lastChunkLimit(_ trailers: Trailers?) -> Int { 5 + (trailers?.serialisedLimit ?? 0) }

    /// Appends CRLF.
    @inlinable public func appendLineEnd() {
        append(0x0D)
        append(0x0A)
    }

    private func appendSeparator() {
        append(0x3A)
        append(0x20)
    }

    /// Exactly three digits, and nothing else is needed of the room.
    private func appendDigits(_ status: UInt16) {
        precondition((100...999).contains(status), "a status has three digits")
        append(UInt8(truncatingIfNeeded: status / 100) &+ 0x30)
        append(UInt8(truncatingIfNeeded: status / 10 % 10) &+ 0x30)
        append(UInt8(truncatingIfNeeded: status % 10) &+ 0x30)
    }
}

extension Span where Element == UInt8 {
    /// Whether the bytes have no CR, LF or NUL in them.
    var isSafeInHead: Bool {
        for offset in indices where self[offset] == 0x0D || self[offset] == 0x0A || self[offset] == 0 { return false }
        return true
    }
}
