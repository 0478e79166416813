// SPDX-License-Identifier: Apache-2.0
// Why a message is refused: one reason for each rule, its status, its word in the log and a sentence with the clause.

/// A message that is refused, and the first byte that showed it.
public struct ParseFailure: Error, Equatable, Sendable {
    /// Which rule was broken.
    public var reason: Reason
    /// Offset of the offending byte in the bytes given to the parser or the decoder.
    public var offset: Int

    /// A failure at `offset`.
    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// The rules. What each means is its `sentence`.
    public enum Reason: UInt8, CaseIterable, Sendable {
        case bareCR, bareLF, badMethod, badTarget, badRequestLine, lineTooLong, headTooLarge, tooManyFields
        case fieldLineTooLong, badFieldName, spaceBeforeColon, foldedLine, badFieldValue, missingColon
        case emptyFieldName, bothLengths, twoLengths, badContentLength, badTransferEncoding
        case unsupportedTransferCoding, transferEncodingInHTTP10, noHost, twoHosts, badHost, userinfoInTarget
        case unsupportedVersion, badVersion, badStatus, badChunkSize, chunkSizeOverflow, badChunkEnd
        case badChunkExtension, chunkExtensionsTooLarge, trailersTooLarge, badTrailer, badConnection
        case unknownExpectation
    }

    /// What a server answers to a request that breaks the rule. (A gateway answers 502 to a response that breaks it.)
    public var status: UInt16 {
        switch reason {
        case .lineTooLong: 414
        case .unknownExpectation: 417
        case .headTooLarge, .tooManyFields, .fieldLineTooLong, .trailersTooLarge: 431
        case .unsupportedTransferCoding: 501
        case .unsupportedVersion: 505
        case .bareCR, .bareLF, .badMethod, .badTarget, .badRequestLine, .badFieldName, .spaceBeforeColon, .foldedLine,
            .badFieldValue, .missingColon, .emptyFieldName, .bothLengths, .twoLengths, .badContentLength,
            .badTransferEncoding, .transferEncodingInHTTP10, .noHost, .twoHosts, .badHost, .userinfoInTarget,
            .badVersion, .badStatus, .badChunkSize, .chunkSizeOverflow, .badChunkEnd, .badChunkExtension,
            .chunkExtensionsTooLarge, .badTrailer, .badConnection:
            400
        }
    }

    /// The spelling in logs.
    public var word: StaticString {
        switch reason {
        case .bareCR: "bare-cr"
        case .bareLF: "bare-lf"
        case .badMethod: "bad-method"
        case .badTarget: "bad-target"
        case .badRequestLine: "bad-request-line"
        case .lineTooLong: "line-too-long"
        case .headTooLarge: "head-too-large"
        case .tooManyFields: "too-many-fields"
        case .fieldLineTooLong: "field-line-too-long"
        case .badFieldName: "bad-field-name"
        case .spaceBeforeColon: "space-before-colon"
        case .foldedLine: "folded-line"
        case .badFieldValue: "bad-field-value"
        case .missingColon: "missing-colon"
        case .emptyFieldName: "empty-field-name"
        case .bothLengths: "both-lengths"
        case .twoLengths: "two-lengths"
        case .badContentLength: "bad-content-length"
        case .badTransferEncoding: "bad-transfer-encoding"
        case .unsupportedTransferCoding: "unsupported-transfer-coding"
        case .transferEncodingInHTTP10: "transfer-encoding-in-http10"
        case .noHost: "no-host"
        case .twoHosts: "two-hosts"
        case .badHost: "bad-host"
        case .userinfoInTarget: "userinfo-in-target"
        case .unsupportedVersion: "unsupported-version"
        case .badVersion: "bad-version"
        case .badStatus: "bad-status"
        case .badChunkSize: "bad-chunk-size"
        case .chunkSizeOverflow: "chunk-size-overflow"
        case .badChunkEnd: "bad-chunk-end"
        case .badChunkExtension: "bad-chunk-extension"
        case .chunkExtensionsTooLarge: "chunk-extensions-too-large"
        case .trailersTooLarge: "trailers-too-large"
        case .badTrailer: "bad-trailer"
        case .badConnection: "bad-connection"
        case .unknownExpectation: "unknown-expectation"
        }
    }

    /// For people, with the clause.
    public var sentence: StaticString {
        switch reason {
        case .bareCR: "a CR is not followed by LF (RFC 9112 §2.2)"
        case .bareLF: "a line ends in LF without CR (RFC 9112 §2.2)"
        case .badMethod: "the method is not a token of at most 32 bytes (RFC 9110 §9.1)"
        case .badTarget:
            "the request target has none of the four forms or a byte that may not be in it (RFC 9112 §3.2)"
        case .badRequestLine: "the request line is not method, one space, target, one space, version (RFC 9112 §3)"
        case .lineTooLong: "the request line is longer than the limit (RFC 9112 §3)"
        case .headTooLarge: "the head is larger than the limit (RFC 6585 §5)"
        case .tooManyFields: "there are more field lines than the limit (RFC 6585 §5)"
        case .fieldLineTooLong: "a field line is longer than the limit (RFC 6585 §5)"
        case .badFieldName: "a field name is not a token (RFC 9110 §5.1)"
        case .spaceBeforeColon: "whitespace stands between a field name and its colon (RFC 9112 §5.1)"
        case .foldedLine: "a line begins with whitespace (RFC 9112 §5.2)"
        case .badFieldValue: "a field value has a control byte in it (RFC 9110 §5.5)"
        case .missingColon: "a field line has no colon (RFC 9112 §5)"
        case .emptyFieldName: "a field line begins with a colon (RFC 9110 §5.1)"
        case .bothLengths: "there are both Content-Length and Transfer-Encoding (RFC 9112 §6.1)"
        case .twoLengths: "there is more than one Content-Length (RFC 9112 §6.3)"
        case .badContentLength: "Content-Length is not a decimal number up to 2^63-1 (RFC 9110 §8.6)"
        case .badTransferEncoding: "Transfer-Encoding is not chunked, once (RFC 9112 §6.1)"
        case .unsupportedTransferCoding: "a transfer coding besides chunked is not implemented (RFC 9112 §6.1)"
        case .transferEncodingInHTTP10: "Transfer-Encoding came with HTTP/1.0 (RFC 9112 §6.1)"
        case .noHost: "an HTTP/1.1 request has no Host (RFC 9112 §3.2)"
        case .twoHosts: "there is more than one Host (RFC 9112 §3.2)"
        case .badHost: "Host is not a host with an optional port (RFC 9110 §7.2)"
        case .userinfoInTarget: "the request target has userinfo in it (RFC 9110 §4.2.4)"
        case .unsupportedVersion: "the version is neither HTTP/1.0 nor HTTP/1.1 (RFC 9110 §15.6.6)"
        case .badVersion: "the version is malformed or older than HTTP/1.0 (RFC 9112 §2.3)"
        case .badStatus: "the status line is malformed (RFC 9112 §4)"
        case .badChunkSize: "a chunk size is not hexadecimal digits (RFC 9112 §7.1)"
        case .chunkSizeOverflow: "a chunk size has more than 16 digits or is above 2^63-1 (RFC 9112 §7.1)"
        case .badChunkEnd: "chunk data is not followed by CRLF (RFC 9112 §7.1)"
        case .badChunkExtension: "a chunk extension has a control byte in it (RFC 9112 §7.1.1)"
        case .chunkExtensionsTooLarge: "the chunk extensions are larger than the limit (RFC 9112 §7.1.1)"
        case .trailersTooLarge: "the trailer section is larger than the limit (RFC 9112 §7.1.2)"
        case .badTrailer: "a trailer line is malformed (RFC 9112 §7.1.2)"
        case .badConnection: "Connection is not a list of tokens (RFC 9110 §7.6.1)"
        case .unknownExpectation: "Expect is not 100-continue (RFC 9110 §10.1.1)"
        }
    }
}
