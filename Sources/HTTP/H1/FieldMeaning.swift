// SPDX-License-Identifier: Apache-2.0
// The fields that decide where a message ends and what becomes of its connection, gathered while the lines are parsed.

/// What the framing and connection fields seen so far say.
struct FieldMeaning {
    var contentLength: UInt64?
    /// Transfer-Encoding came and was exactly `chunked`.
    var hasTransferEncoding = false
    /// The options of every Connection line so far.
    var connection: ConnectionOptions = []
    /// The only Upgrade line's value.
    var upgrade: Range<Int>?
    var upgradeLines = 0

    /// Content-Length: one line with one number, digits only (RFC 9110 §8.6).
    ///
    /// RFC 9112 §6.3 rule 5 allows to take a list of identical numbers for one; it is refused, because who sends such a
    /// thing was in doubt itself.
    mutating func takeContentLength(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(ParseFailure) {
        guard contentLength == nil else { throw ParseFailure(.twoLengths, at: value.lowerBound) }
        guard !hasTransferEncoding else { throw ParseFailure(.bothLengths, at: value.lowerBound) }
        guard !value.isEmpty else { throw ParseFailure(.badContentLength, at: value.lowerBound) }
        var length: UInt64 = 0
        for offset in value {
            let digit = bytes[offset] &- 0x30
            guard digit < 10 else {
                throw ParseFailure(bytes[offset] == 0x2C ? .twoLengths : .badContentLength, at: offset)
            }
            // 19 digits fit into 64 bits without an overflow; the bound of 63 bits is checked below.
            guard offset &- value.lowerBound < 19 else { throw ParseFailure(.badContentLength, at: offset) }
            length = length &* 10 &+ UInt64(digit)
        }
        guard length <= UInt64(Int64.max) else { throw ParseFailure(.badContentLength, at: value.lowerBound) }
        contentLength = length
    }

    /// Transfer-Encoding: one line, exactly `chunked`, HTTP/1.1 (RFC 9112 §6.1). Together with Content-Length it is
    /// refused, as §6.3 rule 3 allows a server to.
    mutating func takeTransferEncoding(
        _ bytes: Span<UInt8>, _ value: Range<Int>, _ version: Version
    )
        throws(ParseFailure)
    {
        guard version == .http11 else { throw ParseFailure(.transferEncodingInHTTP10, at: value.lowerBound) }
        guard !hasTransferEncoding else { throw ParseFailure(.badTransferEncoding, at: value.lowerBound) }
        guard contentLength == nil else { throw ParseFailure(.bothLengths, at: value.lowerBound) }
        guard unsafe bytes.extracting(value).bytes.isCaseless("chunked") else {
            let isList = isCodingListEndingInChunked(bytes, value)
            throw ParseFailure(isList ? .unsupportedTransferCoding : .badTransferEncoding, at: value.lowerBound)
        }
        hasTransferEncoding = true
    }

    /// Connection: a list of tokens (RFC 9110 §7.6.1). Empty members are ignored (§5.6.1).
    mutating func takeConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) throws(ParseFailure) {
        var offset = value.lowerBound
        while offset < value.upperBound {
            let start = offset
            while offset < value.upperBound, ByteClass.token.contains(bytes[offset]) { offset &+= 1 }
            if offset > start {
                let option = unsafe bytes.extracting(start..<offset).bytes
                switch option.byteCount {
                case 2 where option.isCaseless("te"): connection.insert(.te)
                case 5 where option.isCaseless("close"): connection.insert(.close)
                case 7 where option.isCaseless("upgrade"): connection.insert(.upgrade)
                case 10 where option.isCaseless("keep-alive"): connection.insert(.keepAlive)
                default: connection.insert(.namesOthers)
                }
            }
            while offset < value.upperBound, bytes[offset].isBlank { offset &+= 1 }
            guard offset < value.upperBound else { break }
            guard bytes[offset] == 0x2C else { throw ParseFailure(.badConnection, at: offset) }
            offset &+= 1
            while offset < value.upperBound, bytes[offset].isBlank { offset &+= 1 }
        }
    }

    /// Upgrade (RFC 9110 §7.8). Several lines are as good as none: a server may ignore the field.
    mutating func takeUpgrade(_ value: Range<Int>) {
        upgradeLines &+= 1
        upgrade = upgradeLines == 1 ? value : nil
    }

    /// Whether the connection outlives the message (RFC 9112 §9.3).
    func isPersistent(_ version: Version) -> Bool {
        switch version {
        case .http11: !connection.contains(.close)
        case .http10: connection.contains(.keepAlive) && !connection.contains(.close)
        }
    }
}

/// Whether the value is a list of two or more coding names of which only the last is `chunked`: something that might be
/// understood by a server that implements the others (501). Everything else is malformed (400).
@inline(never) private func isCodingListEndingInChunked(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
    var offset = value.lowerBound
    var members = 0
    while true {
        let start = offset
        while offset < value.upperBound, ByteClass.token.contains(bytes[offset]) { offset &+= 1 }
        guard offset > start else { return false }
        members &+= 1
        let isChunked = unsafe bytes.extracting(start..<offset).bytes.isCaseless("chunked")
        while offset < value.upperBound, bytes[offset].isBlank { offset &+= 1 }
        if offset == value.upperBound { return isChunked && members > 1 }
        guard !isChunked, bytes[offset] == 0x2C else { return false }
        offset &+= 1
        while offset < value.upperBound, bytes[offset].isBlank { offset &+= 1 }
    }
}
