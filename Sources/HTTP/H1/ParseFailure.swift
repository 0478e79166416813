// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not a message that is served here, and where.
public struct ParseFailure: Error, Equatable, Sendable {
    /// What is wrong.
    public let reason: Reason
    /// Offset of the byte at fault from the first one that the parser was given.
    public let offset: Int

    init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// Everything that can be wrong with a message. Refused, never repaired: what one recipient repairs, another reads
    /// differently, and request smuggling lives on the difference.
    public enum Reason: UInt8, CaseIterable, Sendable {
        case bareLF, bareCR, badMethod, badTarget, userinfoInTarget, badVersion, unsupportedVersion, requestLineTooLong
        case headTooLarge, fieldLineTooLong, tooManyFields
        case badFieldName, emptyFieldName, spaceBeforeColon, missingColon, foldedLine, badFieldValue
        case noHost, twoHosts, badHost
        case bothLengths, twoLengths, badContentLength
        case badTransferEncoding, unsupportedTransferCoding, transferEncodingInHTTP10
        case badConnection, unknownExpectation
        case badStatusLine, badStatus
        case badChunkSize, chunkSizeOverflow, badChunkEnd, badChunkExtension, chunkExtensionsTooLarge
        case badTrailer, trailersTooLarge
    }

    /// The status with which a server answers.
    public var status: UInt16 {
        switch reason {
        case .requestLineTooLong: 414
        case .headTooLarge, .fieldLineTooLong, .tooManyFields: 431
        case .unknownExpectation: 417
        case .unsupportedTransferCoding: 501
        case .unsupportedVersion: 505
        default: 400
        }
    }

    /// How the log spells it.
    public var word: StaticString { text.word }

    /// What people are told, with the clause that decides.
    public var sentence: StaticString { text.sentence }

    private var text: (word: StaticString, sentence: StaticString) {
        switch reason {
        case .bareLF: ("bare-lf", "A line ends in LF without CR (RFC 9112 section 2.2).")
        case .bareCR: ("bare-cr", "A CR stands without LF (RFC 9112 section 2.2).")
        case .badMethod: ("bad-method", "The method is not a token (RFC 9110 section 9.1).")
        case .badTarget: ("bad-target", "The request target is not valid (RFC 9112 section 3.2).")
        case .userinfoInTarget: ("userinfo", "The authority contains user information (RFC 9110 section 4.2.4).")
        case .badVersion: ("bad-version", "The request line does not end in an HTTP version (RFC 9112 section 2.3).")
        case .unsupportedVersion: ("unsupported-version", "Only HTTP/1.1 and HTTP/1.0 are served here (RFC 9110 section 15.6.6).")
        case .requestLineTooLong: ("line-too-long", "The request line is longer than allowed (RFC 9112 section 3).")
        case .headTooLarge: ("head-too-large", "The head is larger than allowed (RFC 6585 section 5).")
        case .fieldLineTooLong: ("field-too-long", "A field line is longer than allowed (RFC 6585 section 5).")
        case .tooManyFields: ("too-many-fields", "There are more field lines than allowed (RFC 6585 section 5).")
        case .badFieldName: ("bad-field-name", "A field name is not a token (RFC 9110 section 5.1).")
        case .emptyFieldName: ("empty-field-name", "A field has no name (RFC 9110 section 5.1).")
        case .spaceBeforeColon: ("space-before-colon", "White space stands before a colon (RFC 9112 section 5.1).")
        case .missingColon: ("missing-colon", "A field line has no colon (RFC 9112 section 5).")
        case .foldedLine: ("folded-line", "A field line is folded (RFC 9112 section 5.2).")
        case .badFieldValue: ("bad-field-value", "A field value contains a control character (RFC 9110 section 5.5).")
        case .noHost: ("no-host", "There is no Host field (RFC 9112 section 3.2).")
        case .twoHosts: ("two-hosts", "There is more than one Host field (RFC 9112 section 3.2).")
        case .badHost: ("bad-host", "The Host field is not a host and port (RFC 9112 section 3.2).")
        case .bothLengths: ("both-lengths", "Both Content-Length and Transfer-Encoding are given (RFC 9112 section 6.3).")
        case .twoLengths: ("two-lengths", "More than one Content-Length is given (RFC 9112 section 6.3).")
        case .badContentLength: ("bad-content-length", "The Content-Length is not a number (RFC 9110 section 8.6).")
        case .badTransferEncoding: ("bad-transfer-encoding", "The Transfer-Encoding is not exactly chunked (RFC 9112 section 6.1).")
        case .unsupportedTransferCoding: ("unsupported-transfer-coding", "Only the chunked transfer coding is served (RFC 9112 section 6.1).")
        case .transferEncodingInHTTP10: ("transfer-encoding-http10", "Transfer-Encoding is not defined for HTTP/1.0 (RFC 9112 section 6.1).")
        case .badConnection: ("bad-connection", "The Connection field is not a list of tokens (RFC 9110 section 7.6.1).")
        case .unknownExpectation: ("unknown-expectation", "The expectation cannot be met (RFC 9110 section 10.1.1).")
        case .badStatusLine: ("bad-status-line", "The status line is not valid (RFC 9112 section 4).")
        case .badStatus: ("bad-status", "The status is not a number from 100 to 599 (RFC 9110 section 15).")
        case .badChunkSize: ("bad-chunk-size", "A chunk size is not a hexadecimal number (RFC 9112 section 7.1).")
        case .chunkSizeOverflow: ("chunk-size-overflow", "A chunk size is too large (RFC 9112 section 7.1).")
        case .badChunkEnd: ("bad-chunk-end", "A chunk's data does not end in CR LF (RFC 9112 section 7.1).")
        case .badChunkExtension: ("bad-chunk-extension", "A chunk extension contains a control character (RFC 9112 section 7.1.1).")
        case .chunkExtensionsTooLarge: ("chunk-extensions-too-large", "The chunk extensions are larger than allowed (RFC 9112 section 7.1.1).")
        case .badTrailer: ("bad-trailer", "A trailer field is not valid (RFC 9112 section 7.1.2).")
        case .trailersTooLarge: ("trailers-too-large", "The trailer section is larger than allowed (RFC 9112 section 7.1.2).")
        }
    }
}
