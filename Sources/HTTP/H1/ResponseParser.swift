// SPDX-License-Identifier: Apache-2.0
// Responses from bytes, by the same rules as requests: an origin is believed no more than a client.

internal import Bytes

/// Parses a response head from bytes that grow, a line at a time (RFC 9112 §§2, 4–6). Nothing is allocated.
public struct ResponseParser: Sendable {
    private var hasStatusLine = false
    private var lines = HeadLines()
    private var meaning = FieldMeaning()
    private var keepAliveTimeout: UInt32?

    /// A parser at the start of a head.
    public init() {}

    /// Makes the parser ready for the next head.
    public mutating func reset() { self = ResponseParser() }

    /// Parses on; see `RequestParser.parse`. Interim responses are returned as any other.
    ///
    /// `requestMethod` is the method of the request this answers: it decides whether content follows.
    public mutating func parse(
        _ bytes: Span<UInt8>, limits: HeadLimits, requestMethod: Method, into head: inout ResponseHead
    ) throws(ParseFailure) -> Bool {
        if !hasStatusLine {
            guard !bytes.isEmpty else { return false }
            // Nothing may stand before a status line, not even an empty line; refused before an LF comes.
            guard bytes[0] == 0x48 else { throw ParseFailure(bytes[0] == 0x0A ? .bareLF : .badStatus, at: 0) }
            guard let line = try lines.next(bytes, limits, tooLong: .fieldLineTooLong) else { return false }
            try parseStatusLine(bytes, line, &head)
            head.fields.removeAll()
            hasStatusLine = true
        }
        while let line = try lines.next(bytes, limits, tooLong: .fieldLineTooLong) {
            if line.isEmpty {
                finish(bytes, requestMethod, &head)
                return true
            }
            let field = try parseFieldLine(bytes, line)
            guard head.fields.count < limits.fields, head.fields.append(field) else {
                throw ParseFailure(.tooManyFields, at: line.lowerBound)
            }
            switch field.name {
            case .connection: try meaning.takeConnection(bytes, field.valueRange)
            case .contentLength: try meaning.takeContentLength(bytes, field.valueRange)
            case .transferEncoding: try meaning.takeTransferEncoding(bytes, field.valueRange, head.version)
            case .upgrade: meaning.takeUpgrade(field.valueRange)
            case .keepAlive: keepAliveTimeout = timeout(bytes.extracting(field.valueRange)) ?? keepAliveTimeout
            default: break
            }
        }
        return false
    }

    /// HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4). The second space may be missing: many servers
    /// leave it out with the phrase.
    private func parseStatusLine(
        _ bytes: Span<UInt8>, _ line: Range<Int>, _ head: inout ResponseHead
    )
        throws(ParseFailure)
    {
        guard line.count >= 12, bytes[line.lowerBound &+ 8] == 0x20 else {
            throw ParseFailure(.badStatus, at: line.lowerBound)
        }
        head.version = try parseVersion(bytes, line.lowerBound..<(line.lowerBound &+ 8))
        let start = line.lowerBound &+ 9
        var status: UInt16 = 0
        for offset in start..<(start &+ 3) {
            guard bytes[offset].isDigit else { throw ParseFailure(.badStatus, at: offset) }
            status = status &* 10 &+ UInt16(bytes[offset] &- 0x30)
        }
        // RFC 9110 §15: codes outside 100–599 are invalid. Those above are to be processed "as if it had a 5xx (Server
        // Error) status code", and are passed on: 999 is in wide use. Below 100 nobody says what a code means.
        guard status >= 100 else { throw ParseFailure(.badStatus, at: start) }
        head.status = status
        var offset = start &+ 3
        if offset < line.upperBound {
            guard bytes[offset] == 0x20 else {
                throw ParseFailure(bytes[offset] == 0x0D ? .bareCR : .badStatus, at: offset)
            }
            offset &+= 1
        }
        if let bad = unsafe bytes.bytes.firstNonContent(offset..<line.upperBound) {
            throw ParseFailure(bytes[bad] == 0x0D ? .bareCR : .badStatus, at: bad)
        }
        head.reasonRange = offset..<line.upperBound
    }

    /// What only the whole head tells.
    private func finish(_ bytes: Span<UInt8>, _ method: Method, _ head: inout ResponseHead) {
        head.connection = meaning.connection
        head.namedByConnection =
            meaning.connection.contains(.namesOthers) ? head.fields.namedByConnection(bytes) : .init()
        head.contentLength = meaning.contentLength
        head.isPersistent = meaning.isPersistent(head.version)
        let announced = meaning.hasTransferEncoding || (meaning.contentLength ?? 0) > 0
        // RFC 9112 §6.3 rules 1 and 2, in this order.
        if head.status < 200 || head.status == 204 || head.status == 304 || method == .head {
            head.framing = .none
            // RFC 9110 §8.6, RFC 9112 §6.1: neither field may be in a 1xx or 204. A 304 and an answer to HEAD may have
            // them, as the answer to GET would.
            if announced, head.status < 200 || head.status == 204 { head.isPersistent = false }
        } else if method == .connect, head.status < 300 {
            // A tunnel. The fields are ignored; nobody here asks for one.
            head.framing = .none
            head.isPersistent = false
        } else if meaning.hasTransferEncoding {
            head.framing = .chunked
        } else if let length = meaning.contentLength {
            head.framing = .length(length)
        } else {
            head.framing = .untilClose
            head.isPersistent = false
        }
        head.keepAliveTimeout = keepAliveTimeout
        head.upgradeRange = meaning.connection.contains(.upgrade) ? meaning.upgrade : nil
        head.length = lines.lineStart
    }
}

/// N of `timeout=N` in a Keep-Alive value (RFC 2068 §19.7.1.1), or nil.
private func timeout(_ value: Span<UInt8>) -> UInt32? {
    var reader = ListReader()
    while let member = reader.next(value) {
        guard member.count > 8 else { continue }
        let start = member.lowerBound &+ 8
        guard unsafe value.extracting(member.lowerBound..<start).bytes.isCaseless("timeout=") else { continue }
        var seconds: UInt32 = 0
        for offset in start..<member.upperBound {
            guard value[offset].isDigit else { return nil }
            // A year is as good as for ever, and far from an overflow.
            seconds = min(seconds &* 10 &+ UInt32(value[offset] &- 0x30), 31_536_000)
        }
        return seconds
    }
    return nil
}
