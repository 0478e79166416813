// SPDX-License-Identifier: Apache-2.0
// Requests from bytes. Strict: what is not certain to be read the same by everyone is refused.

internal import Bytes

/// Parses a request head from bytes that grow, a line at a time (RFC 9112 §§2–6). Nothing is allocated.
public struct RequestParser: Sendable {
    private enum Stage { case before, requestLine, fields }
    private var stage = Stage.before
    private var lines = HeadLines()
    private var meaning = FieldMeaning()
    private var host: Range<Int>?
    private var hasExpect = false

    /// A parser at the start of a head.
    public init() {}

    /// Makes the parser ready for the next head.
    public mutating func reset() { self = RequestParser() }

    /// Parses on.
    ///
    /// `bytes` starts at the same first byte in every call and only grows. Returns true when `head` is complete; then
    /// the parser must be reset before it is used again. False: more bytes are needed, and `head` is not to be read. A
    /// failure does not depend on how the bytes were cut into pieces; after one, the connection can only be closed
    /// (RFC 9112 §2.2).
    public mutating func parse(
        _ bytes: Span<UInt8>, limits: HeadLimits, into head: inout RequestHead
    )
        throws(ParseFailure) -> Bool
    {
        if stage == .before {
            guard try skipEmptyLine(bytes) else { return false }
            head.fields.removeAll()
            stage = .requestLine
        }
        if stage == .requestLine {
            guard let line = try lines.next(bytes, limits, tooLong: .lineTooLong) else { return false }
            try parseRequestLine(bytes, line, &head)
            stage = .fields
        }
        while let line = try lines.next(bytes, limits, tooLong: .fieldLineTooLong) {
            if line.isEmpty {
                try finish(bytes, line.lowerBound, &head)
                return true
            }
            let field = try parseFieldLine(bytes, line)
            guard head.fields.count < limits.fields, head.fields.append(field) else {
                throw ParseFailure(.tooManyFields, at: line.lowerBound)
            }
            if field.name != .other { try take(field, bytes, head.version) }
        }
        return false
    }

    /// Skips one CRLF before the request line, which RFC 9112 §2.2 asks for: old clients send one behind a POST body.
    /// One, because none ever sent more. Decides on the first byte of the request line, so that a TLS handshake or
    /// another protocol is refused at once and not when an LF happens to come.
    private mutating func skipEmptyLine(_ bytes: Span<UInt8>) throws(ParseFailure) -> Bool {
        guard !bytes.isEmpty else { return false }
        var start = 0
        if bytes[0] == 0x0D {
            guard bytes.count > 1 else { return false }
            guard bytes[1] == 0x0A else { throw ParseFailure(.bareCR, at: 0) }
            guard bytes.count > 2 else { return false }
            start = 2
        }
        let first = bytes[start]
        guard ByteClass.token.contains(first) else {
            let reason: ParseFailure.Reason = first == 0x0A ? .bareLF : first == 0x0D ? .badRequestLine : .badMethod
            throw ParseFailure(reason, at: start)
        }
        lines.lineStart = start
        lines.searched = start
        return true
    }

    /// method SP request-target SP HTTP-version (RFC 9112 §3). Whitespace other than one SP is refused: §3 calls to read
    /// it leniently a risk.
    private func parseRequestLine(
        _ bytes: Span<UInt8>, _ line: Range<Int>, _ head: inout RequestHead
    )
        throws(ParseFailure)
    {
        var offset = line.lowerBound
        let end = line.upperBound
        while offset < end, ByteClass.token.contains(bytes[offset]) { offset &+= 1 }
        head.methodRange = line.lowerBound..<offset
        guard offset < end, bytes[offset] == 0x20 else {
            guard offset < end else { throw ParseFailure(.badRequestLine, at: offset) }
            throw ParseFailure(bytes[offset] == 0x0D ? .bareCR : .badMethod, at: offset)
        }
        guard head.methodRange.count <= 32 else { throw ParseFailure(.badMethod, at: line.lowerBound) }
        head.method = Method.recognise(bytes.extracting(head.methodRange))
        offset &+= 1
        let targetStart = offset
        var query: Int?
        while offset < end {
            let byte = bytes[offset]
            if byte == 0x20 { break }
            // Visible ASCII. Of what RFC 3986 does not allow, browsers send `"<>^`{|}` as they are (WHATWG URL), and in
            // the query the backslash; these pass, byte for byte. A backslash in the path is read as a slash by some
            // and is refused, and so is `#`: a fragment is never sent (RFC 9112 §3.2).
            guard byte > 0x20, byte < 0x7F, byte != 0x23, byte != 0x5C || query != nil else {
                throw ParseFailure(byte == 0x0D ? .bareCR : .badTarget, at: offset)
            }
            if byte == 0x3F, query == nil { query = offset }
            offset &+= 1
        }
        guard offset > targetStart else { throw ParseFailure(.badRequestLine, at: offset) }
        head.targetRange = targetStart..<offset
        // No version: HTTP/0.9.
        guard offset < end else { throw ParseFailure(.badVersion, at: offset) }
        head.version = try parseVersion(bytes, (offset &+ 1)..<end)
        try splitTarget(bytes, query, &head)
    }

    /// Finds the form of the target and its parts (RFC 9112 §3.2). `query`: offset of the first `?`.
    private func splitTarget(_ bytes: Span<UInt8>, _ query: Int?, _ head: inout RequestHead) throws(ParseFailure) {
        let target = head.targetRange
        let first = bytes[target.lowerBound]
        head.authorityRange = target.lowerBound..<target.lowerBound
        head.queryRange = nil
        if head.method == .connect {
            // §3.2.3: host and port, both required.
            guard let authority = Authority.parse(bytes.extracting(target)), authority.port != nil else {
                throw ParseFailure(.badTarget, at: target.lowerBound)
            }
            head.targetForm = .authority
            head.authorityRange = target
            head.pathRange = target.upperBound..<target.upperBound
            return
        }
        let pathEnd = query ?? target.upperBound
        if let query { head.queryRange = (query &+ 1)..<target.upperBound }
        if first == 0x2F {
            head.targetForm = .origin
            head.pathRange = target.lowerBound..<pathEnd
        } else if first == 0x2A, target.count == 1 {
            // §3.2.4: only for OPTIONS.
            guard head.method == .options else { throw ParseFailure(.badTarget, at: target.lowerBound) }
            head.targetForm = .asterisk
            head.pathRange = target
        } else {
            // §3.2.2: a server must accept it from any client.
            let rest = target.lowerBound..<pathEnd
            var start = rest.lowerBound
            if rest.count > 7, unsafe bytes.extracting(start..<(start &+ 7)).bytes.isCaseless("http://") {
                start &+= 7
            } else if rest.count > 8, unsafe bytes.extracting(start..<(start &+ 8)).bytes.isCaseless("https://") {
                start &+= 8
            } else {
                throw ParseFailure(.badTarget, at: target.lowerBound)
            }
            var offset = start
            while offset < pathEnd, bytes[offset] != 0x2F {
                // RFC 9110 §4.2.4: userinfo in a reference from an untrusted source is to be treated as an error.
                if bytes[offset] == 0x40 { throw ParseFailure(.userinfoInTarget, at: offset) }
                offset &+= 1
            }
            guard Authority.parse(bytes.extracting(start..<offset)) != nil else {
                throw ParseFailure(.badTarget, at: start)
            }
            head.targetForm = .absolute
            head.authorityRange = start..<offset
            head.pathRange = offset..<pathEnd
        }
    }

    /// Looks at a field that decides something.
    @inline(__always)
    private mutating func take(_ field: Field, _ bytes: Span<UInt8>, _ version: Version) throws(ParseFailure) {
        let value = field.valueRange
        switch field.name {
        case .host:
            // RFC 9112 §3.2: 400 for a second one and for an invalid value. An empty one is only for targets without an
            // authority, which http targets never are (RFC 9110 §4.2.1).
            guard host == nil else { throw ParseFailure(.twoHosts, at: field.nameRange.lowerBound) }
            guard Authority.parse(bytes.extracting(value)) != nil else {
                throw ParseFailure(.badHost, at: value.lowerBound)
            }
            host = value
        case .connection: try meaning.takeConnection(bytes, value)
        case .contentLength: try meaning.takeContentLength(bytes, value)
        case .transferEncoding: try meaning.takeTransferEncoding(bytes, value, version)
        case .upgrade: meaning.takeUpgrade(value)
        case .expect:
            // RFC 9110 §10.1.1: ignored in HTTP/1.0; 417 for what is not known, and for more than one.
            guard version == .http11 else { break }
            guard !hasExpect, unsafe bytes.extracting(value).bytes.isCaseless("100-continue") else {
                throw ParseFailure(.unknownExpectation, at: value.lowerBound)
            }
            hasExpect = true
        default: break
        }
    }

    /// What only the whole head tells.
    private func finish(_ bytes: Span<UInt8>, _ end: Int, _ head: inout RequestHead) throws(ParseFailure) {
        if let host {
            if head.targetForm == .origin || head.targetForm == .asterisk { head.authorityRange = host }
        } else if head.version == .http11 {
            throw ParseFailure(.noHost, at: end)
        }
        if let length = meaning.contentLength {
            head.framing = .length(length)
        } else {
            // RFC 9112 §6.3 rule 7: a request without either has no content.
            head.framing = meaning.hasTransferEncoding ? .chunked : .none
        }
        head.connection = meaning.connection
        head.namedByConnection =
            meaning.connection.contains(.namesOthers) ? head.fields.namedByConnection(bytes) : .init()
        head.expectsContinue = hasExpect
        head.isPersistent = meaning.isPersistent(head.version)
        head.upgrade = .none
        head.upgradeRange = nil
        // RFC 9110 §7.8: must be named by Connection, and is ignored in HTTP/1.0.
        if let upgrade = meaning.upgrade, meaning.connection.contains(.upgrade), head.version == .http11 {
            head.upgrade = upgradeKind(bytes, upgrade)
            if head.upgrade == .forwardable { head.upgradeRange = upgrade }
        }
        head.length = lines.lineStart
    }
}

/// HTTP-version (RFC 9112 §2.3), for both kinds of start line. Case-sensitive.
func parseVersion(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(ParseFailure) -> Version {
    let raw = unsafe bytes.extracting(range).bytes
    if raw.isExactly("HTTP/1.1") { return .http11 }
    if raw.isExactly("HTTP/1.0") { return .http10 }
    for offset in range where bytes[offset] == 0x0D { throw ParseFailure(.bareCR, at: offset) }
    let start = range.lowerBound
    guard range.count == 8, unsafe bytes.extracting(start..<(start &+ 5)).bytes.isExactly("HTTP/"),
        bytes[start &+ 5].isDigit, bytes[start &+ 6] == 0x2E, bytes[start &+ 7].isDigit, bytes[start &+ 5] != 0x30
    else { throw ParseFailure(.badVersion, at: start) }
    // HTTP/1.2 and up could be answered as HTTP/1.1 (RFC 9110 §2.5), but no such thing exists to be answered.
    throw ParseFailure(.unsupportedVersion, at: start)
}

/// Whether a protocol, whatever its version, is HTTP, or TLS with HTTP in it (RFC 2817).
private func carriesRequests(_ name: Span<UInt8>) -> Bool {
    var end = 0
    while end < name.count, name[end] != 0x2F { end &+= 1 }
    let raw = unsafe name.extracting(0..<end).bytes
    switch end {
    case 3: if raw.isCaseless("tls") { return true }
    case 4: if raw.isCaseless("http") { return true }
    case 5: if raw.isCaseless("https") { return true }
    default: break
    }
    // `h2`, `h2c`, `h2c-14`, `h3`.
    return end >= 2 && name[0] | 0x20 == 0x68 && (name[1] == 0x32 || name[1] == 0x33)
}

/// What an Upgrade value asks for: protocol names with optional versions (RFC 9110 §7.8).
private func upgradeKind(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Upgrade {
    let list = bytes.extracting(value)
    var reader = ListReader()
    var kind = Upgrade.none
    while let member = reader.next(list) {
        var slashes = 0
        for offset in member {
            if list[offset] == 0x2F, offset > member.lowerBound, offset &+ 1 < member.upperBound {
                slashes &+= 1
            } else if !ByteClass.token.contains(list[offset]) {
                return .none
            }
        }
        guard slashes <= 1 else { return .none }
        if carriesRequests(list.extracting(member)) { return .carriesRequests }
        kind = .forwardable
    }
    return kind
}
