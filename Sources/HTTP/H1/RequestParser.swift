// SPDX-License-Identifier: Apache-2.0
// Reads a request's head (RFC 9112 sections 2 to 6). Pure: bytes in, a `RequestHead`, "not yet", or a refusal out, the same
// however the bytes are cut.

import Bytes

/// A request's head, read as its bytes come in.
public struct RequestParser: Sendable {
    private enum Stage: Sendable { case start, fields, done }
    private var stage = Stage.start
    private var lines = LineReader()
    private var framing = FramingFields()
    private var hostRange: Range<Int>?
    private var skippedEmptyLines = 0

    /// Empty lines in front of a request line that are passed over. RFC 9112 section 2.2 asks for at least one: old
    /// clients send it behind a body.
    private static let emptyLines = 1
    /// Bytes of a method at most; the longest registered one has 16.
    private static let methodBytes = 32

    public init() {}

    /// Makes it ready for another head.
    public mutating func reset() { self = RequestParser() }

    /// Reads on.
    ///
    /// - Parameters:
    ///   - bytes: All that has come; starts at the same byte in every call.
    ///   - head: Filled in; valid once true is returned.
    /// - Returns: Whether the head is complete.
    public mutating func parse(
        _ bytes: Span<UInt8>, limits: HeadLimits, into head: inout RequestHead
    ) throws(ParseFailure) -> Bool {
        if stage == .start, lines.lineStart == 0 { head.reset() }
        while true {
            if stage == .start, bytes.count > lines.lineStart { try checkFirst(bytes[lines.lineStart], at: lines.lineStart) }
            let tooLong = stage == .start ? ParseFailure.Reason.requestLineTooLong : .fieldLineTooLong
            guard let line = try lines.next(bytes, limits: limits, tooLong: tooLong) else { return false }
            if stage == .start {
                if line.isEmpty {
                    guard skippedEmptyLines < Self.emptyLines else { throw ParseFailure(.badMethod, at: line.lowerBound) }
                    skippedEmptyLines += 1
                    continue
                }
                try readRequestLine(bytes, line, &head)
                stage = .fields
            } else if line.isEmpty {
                head.length = line.upperBound + 2
                stage = .done
                try judge(bytes, &head)
                return true
            } else {
                try readField(bytes, line, limits, &head)
            }
        }
    }

    /// What cannot begin a request is refused before its line ends, which for a TLS handshake may be never.
    private func checkFirst(_ byte: UInt8, at offset: Int) throws(ParseFailure) {
        guard byte.isToken || byte == 0x0D else { throw ParseFailure(byte == 0x0A ? .bareLF : .badMethod, at: offset) }
    }

    // MARK: The request line (RFC 9112 section 3)

    private func readRequestLine(_ bytes: Span<UInt8>, _ line: Range<Int>, _ head: inout RequestHead) throws(ParseFailure) {
        var index = line.lowerBound
        let end = line.upperBound
        while index < end, bytes[index].isToken { index += 1 }
        guard index > line.lowerBound, index < end, bytes[index] == 0x20, index - line.lowerBound <= Self.methodBytes else {
            throw ParseFailure(index < end && bytes[index] == 0x0D ? .bareCR : .badMethod, at: index)
        }
        head.methodRange = line.lowerBound..<index
        head.method = Method(bytes.extracting(head.methodRange))
        index += 1
        let targetStart = index
        while index < end, bytes[index].isTarget { index += 1 }
        head.targetRange = targetStart..<index
        guard index < end, bytes[index] == 0x20 else {
            // `GET /` alone is HTTP/0.9, which has no version to end in.
            if index == end, index > targetStart { throw ParseFailure(.badVersion, at: index) }
            throw ParseFailure(index < end && bytes[index] == 0x0D ? .bareCR : .badTarget, at: index)
        }
        guard index > targetStart else { throw ParseFailure(.badTarget, at: index) }
        head.version = try readVersion(bytes, index + 1..<end)
        try readTarget(bytes, &head)
    }

    private func readVersion(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(ParseFailure) -> Version {
        let version = bytes.extracting(range)
        if version.equals("HTTP/1.1") { return .http11 }
        if version.equals("HTTP/1.0") { return .http10 }
        // RFC 9112 section 2.3: case-sensitive, one digit on each side.
        guard version.count == 8, version.extracting(0..<5).equals("HTTP/"), version[5].isDigit,
            version[6] == UInt8(ascii: "."), version[7].isDigit
        else { throw ParseFailure(.badVersion, at: range.lowerBound) }
        throw ParseFailure(.unsupportedVersion, at: range.lowerBound)
    }

    private func readTarget(_ bytes: Span<UInt8>, _ head: inout RequestHead) throws(ParseFailure) {
        let target = head.targetRange
        let first = bytes[target.lowerBound]
        if head.method == .connect {
            // RFC 9112 section 3.2.3: authority-form, for CONNECT alone.
            let authority = bytes.extracting(target)
            if authority.firstIndex(of: UInt8(ascii: "@")) != nil { throw ParseFailure(.userinfoInTarget, at: target.lowerBound) }
            guard Grammar.isAuthority(authority) else { throw ParseFailure(.badTarget, at: target.lowerBound) }
            head.targetForm = .authority
            head.authorityRange = target
        } else if first == UInt8(ascii: "/") {
            head.targetForm = .origin
            splitQuery(bytes, target, &head)
        } else if target.count == 1, first == UInt8(ascii: "*") {
            // RFC 9112 section 3.2.4: for OPTIONS alone.
            guard head.method == .options else { throw ParseFailure(.badTarget, at: target.lowerBound) }
            head.targetForm = .asterisk
            head.pathRange = target
        } else {
            try readAbsolute(bytes, &head)
        }
    }

    private func readAbsolute(_ bytes: Span<UInt8>, _ head: inout RequestHead) throws(ParseFailure) {
        let target = head.targetRange
        let text = bytes.extracting(target)
        let schemeLength: Int
        if text.count > 7, text.extracting(0..<7).equalsIgnoringCase("http://") {
            schemeLength = 7
        } else if text.count > 8, text.extracting(0..<8).equalsIgnoringCase("https://") {
            schemeLength = 8
        } else {
            throw ParseFailure(.badTarget, at: target.lowerBound)
        }
        let start = target.lowerBound + schemeLength
        var end = start
        while end < target.upperBound, bytes[end] != UInt8(ascii: "/"), bytes[end] != UInt8(ascii: "?") { end += 1 }
        let authority = bytes.extracting(start..<end)
        // RFC 9110 section 4.2.4: user information is a disguise for another host more often than anything else.
        if let at = authority.firstIndex(of: UInt8(ascii: "@")) { throw ParseFailure(.userinfoInTarget, at: start + at) }
        guard Grammar.isAuthority(authority) else { throw ParseFailure(.badTarget, at: start) }
        head.targetForm = .absolute
        head.authorityRange = start..<end
        splitQuery(bytes, end..<target.upperBound, &head)
    }

    private func splitQuery(_ bytes: Span<UInt8>, _ range: Range<Int>, _ head: inout RequestHead) {
        if let mark = bytes.extracting(range).firstIndex(of: UInt8(ascii: "?")) {
            head.pathRange = range.lowerBound..<range.lowerBound + mark
            head.queryRange = range.lowerBound + mark + 1..<range.upperBound
        } else {
            head.pathRange = range
        }
    }

    // MARK: Fields

    private mutating func readField(
        _ bytes: Span<UInt8>, _ line: Range<Int>, _ limits: HeadLimits, _ head: inout RequestHead
    ) throws(ParseFailure) {
        let field = try FieldLine.parse(bytes, line)
        guard head.fields.count < limits.fields, head.fields.append(field) else {
            throw ParseFailure(.tooManyFields, at: line.lowerBound)
        }
        switch field.name {
        case .host:
            // RFC 9112 section 3.2: a request with more than one Host is refused, even when they agree.
            guard hostRange == nil else { throw ParseFailure(.twoHosts, at: line.lowerBound) }
            hostRange = field.valueRange
        case .expect:
            let value = bytes.extracting(field.valueRange)
            guard value.equalsIgnoringCase("100-continue") else {
                // RFC 9110 section 10.1.1 allows 417 for what cannot be met. HTTP/1.0 knows no expectations.
                if head.version == .http10 { break }
                throw ParseFailure(.unknownExpectation, at: field.valueRange.lowerBound)
            }
            head.expectsContinue = head.version == .http11
        default:
            try framing.note(field, bytes)
        }
    }

    // MARK: The whole

    private func judge(_ bytes: Span<UInt8>, _ head: inout RequestHead) throws(ParseFailure) {
        let end = head.length
        if let hostRange {
            let host = bytes.extracting(hostRange)
            if host.firstIndex(of: UInt8(ascii: "@")) != nil { throw ParseFailure(.userinfoInTarget, at: hostRange.lowerBound) }
            // RFC 9112 section 3.2: an invalid Host is refused, also when the target's authority is what counts.
            guard Grammar.isAuthority(host) else { throw ParseFailure(.badHost, at: hostRange.lowerBound) }
            if head.authorityRange.isEmpty { head.authorityRange = hostRange }
        } else if head.version == .http11 {
            throw ParseFailure(.noHost, at: end)
        }
        head.connection = framing.connection
        head.framing = try framing.framing(version: head.version, at: end) ?? .none
        head.isPersistent = framing.isPersistent(version: head.version)
        if framing.hasUpgrade, head.connection.contains(.upgrade), head.version == .http11,
            let field = head.fields.first(.upgrade)
        {
            head.upgradeRange = field.valueRange
            let value = bytes.extracting(field.valueRange)
            // A body and a change of protocol at once leave open where one ends and the other begins.
            head.hasForwardableUpgrade = value.count > 0 && !TokenList.contains(value, "h2c") && head.framing == .none
        }
    }
}
