// SPDX-License-Identifier: Apache-2.0
// The fields that decide where a message ends and what becomes of its connection, gathered while a head is read and judged
// when it is complete. The same for both directions: an upstream server is believed no more than a client.

import Bytes

struct FramingFields: Sendable {
    private(set) var length: UInt64?
    private(set) var hasTransferEncoding = false
    private(set) var connection: ConnectionOptions = []
    private(set) var hasUpgrade = false

    /// Takes a field into account.
    mutating func note(_ field: Field, _ bytes: Span<UInt8>) throws(ParseFailure) {
        switch field.name {
        case .contentLength:
            // RFC 9112 section 6.3 item 5: a list of one repeated value may be taken for the value. It is refused here:
            // nobody sends it by design.
            guard length == nil else { throw ParseFailure(.twoLengths, at: field.nameRange.lowerBound) }
            let value = bytes.extracting(field.valueRange)
            guard let number = Grammar.decimal(value) else {
                let isList = value.firstIndex(of: UInt8(ascii: ",")) != nil
                throw ParseFailure(isList ? .twoLengths : .badContentLength, at: field.valueRange.lowerBound)
            }
            length = number
        case .transferEncoding:
            try noteTransferEncoding(field, bytes)
        case .connection:
            try noteConnection(field, bytes)
        case .upgrade:
            hasUpgrade = true
        default:
            break
        }
    }

    private mutating func noteTransferEncoding(_ field: Field, _ bytes: Span<UInt8>) throws(ParseFailure) {
        let value = bytes.extracting(field.valueRange)
        // RFC 9112 section 6.1: chunked is applied once and last. One field with that one word is all that is understood
        // here; every disguise of it (two fields, a list, parameters, other white space) is refused.
        guard !hasTransferEncoding, value.count > 0 else {
            throw ParseFailure(.badTransferEncoding, at: field.nameRange.lowerBound)
        }
        guard value.equalsIgnoringCase("chunked") else {
            let known = value.equalsIgnoringCase("gzip, chunked") || value.equalsIgnoringCase("deflate, chunked")
                || value.equalsIgnoringCase("gzip") || value.equalsIgnoringCase("deflate") || value.equalsIgnoringCase("compress")
            throw ParseFailure(known ? .unsupportedTransferCoding : .badTransferEncoding, at: field.valueRange.lowerBound)
        }
        hasTransferEncoding = true
    }

    private mutating func noteConnection(_ field: Field, _ bytes: Span<UInt8>) throws(ParseFailure) {
        let value = bytes.extracting(field.valueRange)
        var position = 0
        while let range = TokenList.next(value, from: &position) {
            let token = value.extracting(range)
            for index in token.indices where !token[index].isToken {
                throw ParseFailure(.badConnection, at: field.valueRange.lowerBound + range.lowerBound)
            }
            if token.equalsIgnoringCase("close") {
                connection.insert(.close)
            } else if token.equalsIgnoringCase("keep-alive") {
                connection.insert(.keepAlive)
            } else if token.equalsIgnoringCase("upgrade") {
                connection.insert(.upgrade)
            } else if token.equalsIgnoringCase("te") {
                connection.insert(.te)
            } else {
                connection.insert(.namesOthers)
            }
        }
    }

    /// The framing that the fields say, or nil when they say none.
    func framing(version: Version, at offset: Int) throws(ParseFailure) -> Framing? {
        if hasTransferEncoding {
            // RFC 9112 section 6.1: HTTP/1.0 does not know it, so a sender that uses it cannot be followed.
            if version == .http10 { throw ParseFailure(.transferEncodingInHTTP10, at: offset) }
            // RFC 9112 section 6.3 item 3: "ought to be handled as an error".
            if length != nil { throw ParseFailure(.bothLengths, at: offset) }
            return .chunked
        }
        return length.map { .length($0) }
    }

    /// RFC 9112 section 9.3.
    func isPersistent(version: Version) -> Bool {
        if connection.contains(.close) { return false }
        return version == .http11 || connection.contains(.keepAlive)
    }
}
