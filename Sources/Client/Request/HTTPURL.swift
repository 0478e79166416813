// SPDX-License-Identifier: Apache-2.0
// URLs as a client needs them, and references relative to one, which is what a redirect brings.

import Bytes

/// An `http` or `https` URL taken apart (RFC 3986 section 3, RFC 9110 section 4.2.1).
public struct HTTPURL: Equatable, Sendable {
    /// Lower-case scheme.
    public var scheme: String
    /// Host as it goes to the resolver: a name, or an address without brackets.
    public var host: String
    /// 80 or 443 where the URL names none.
    public var port: UInt16
    /// Path and query, beginning with `/`, without dot segments.
    public var target: String
    /// What `Host` says: the port only when it is not the scheme's default.
    public var authority: String
    /// The part before `@`, decoded; nil when there is none.
    public var credentials: Credentials?

    /// A user's name and password.
    public struct Credentials: Equatable, Sendable {
        /// The name.
        public var user: String
        /// The password, possibly empty.
        public var password: String

        /// Credentials.
        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// Whether it is reached through TLS.
    public var isSecure: Bool { scheme == "https" }
    /// The URL without credentials, for people and for the log.
    public var text: String { "\(scheme)://\(authority)\(target)" }
    /// What is no URL, for the log: without anything that could be credentials.
    static func withoutCredentials(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@") else { return text }
        return String(text[text.index(after: at)...])
    }
    /// The target up to the query.
    public var path: String { String(target.prefix { $0 != "?" }) }
    /// Whether both have one scheme, host and port (RFC 9110 section 4.3.1).
    public func isSameOrigin(as other: HTTPURL) -> Bool {
        scheme == other.scheme && port == other.port && host.lowercased() == other.host.lowercased()
    }

    /// Why a URL cannot be used.
    public enum Failure: Error, Equatable, Sendable {
        /// The scheme is not one that this client speaks.
        case unsupportedScheme(String)
        /// It is not a URL: what is wrong with it.
        case malformed(String)
    }

    /// Reads a URL. Without a scheme `http://` is taken for granted, as curl does.
    public init(_ text: String) throws(Failure) {
        var rest = Array(text.utf8)[...]
        for byte in rest where byte <= 0x20 || byte == 0x7F {
            throw .malformed("it contains a space or a control character")
        }
        scheme = "http"
        if let colon = Self.schemeEnd(rest) {
            scheme = Self.string(rest[..<colon]).lowercased()
            rest = rest[(colon + 3)...]
        }
        guard scheme == "http" || scheme == "https" else { throw .unsupportedScheme(scheme) }
        let end = rest.firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? rest.endIndex
        target = Self.target(of: rest[end...])
        (host, port, authority, credentials) = try Self.authority(rest[..<end], scheme)
    }

    /// The URL that a reference, as in `Location`, names relative to this one (RFC 3986 section 5.2). Spaces and bytes outside
    /// ASCII are percent-encoded, as every client does; control bytes are refused.
    public func resolving(_ reference: String) throws(Failure) -> HTTPURL {
        var bytes = Array(reference.utf8)
        for byte in bytes where byte < 0x20 || byte == 0x7F { throw .malformed("it contains a control character") }
        if bytes.contains(0x20) { bytes = bytes.flatMap { $0 == 0x20 ? Array("%20".utf8) : [$0] } }
        let rest = bytes[...]
        if Self.schemeEnd(rest) != nil { return try HTTPURL(Self.string(rest)) }
        if rest.starts(with: Array("//".utf8)) { return try HTTPURL("\(scheme):\(Self.string(rest))") }
        if let colon = rest.firstIndex(of: 0x3A), colon > 0,
            rest[..<colon].allSatisfy({ Self.isSchemeByte($0) }), !rest[..<colon].allSatisfy(\.isDigit)
        {
            throw .unsupportedScheme(Self.string(rest[..<colon]).lowercased())
        }
        var next = self
        next.credentials = nil
        if rest.isEmpty || rest.first == 0x23 { return next }
        let base = Array(path.utf8)
        switch rest.first {
        case 0x2F: next.target = Self.target(of: rest)
        case 0x3F: next.target = Self.target(of: (base + rest)[...])
        default:
            let folder = base[..<((base.lastIndex(of: 0x2F) ?? -1) + 1)]
            next.target = Self.target(of: (folder + rest)[...])
        }
        return next
    }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte.isDigit || byte == 0x2B || byte == 0x2D || byte == 0x2E
    }

    /// Where the colon of `scheme://` is.
    private static func schemeEnd(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let colon = bytes.firstIndex(where: { !isSchemeByte($0) }), colon > bytes.startIndex,
            bytes[colon...].starts(with: Array("://".utf8))
        else { return nil }
        return colon
    }

    private static func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func authority(
        _ bytes: ArraySlice<UInt8>, _ scheme: String
    ) throws(Failure) -> (host: String, port: UInt16, authority: String, credentials: Credentials?) {
        var rest = bytes
        var credentials: Credentials?
        if let at = rest.lastIndex(of: 0x40) {
            let colon = rest[..<at].firstIndex(of: 0x3A)
            let password = colon.map { rest[($0 + 1)..<at] } ?? []
            credentials = Credentials(user: try decoded(rest[..<(colon ?? at)]), password: try decoded(password))
            rest = rest[(at + 1)...]
        }
        var shown = rest
        let host: ArraySlice<UInt8>
        var portText: ArraySlice<UInt8>?
        if rest.first == 0x5B {
            guard let close = rest.firstIndex(of: 0x5D) else { throw .malformed("\"[\" without \"]\"") }
            host = rest[(rest.startIndex + 1)..<close]
            let behind = rest[(close + 1)...]
            guard behind.isEmpty || behind.first == 0x3A else {
                throw .malformed("\"\(string(behind))\" behind the address")
            }
            guard host.contains(0x3A),
                host.allSatisfy({ $0.hexadecimalValue < 16 || $0 == 0x3A || $0 == 0x2E || $0 == 0x25 })
            else { throw .malformed("\"[\(string(host))]\" is not an IPv6 address") }
            portText = behind.isEmpty ? nil : behind.dropFirst()
            shown = rest[...close]
        } else {
            if let colon = rest.firstIndex(of: 0x3A) {
                portText = rest[(colon + 1)...]
                shown = rest[..<colon]
            }
            host = shown
            guard host.allSatisfy({ $0 < 0x80 }) else {
                throw .malformed("the host has letters outside ASCII; give it in its xn-- form")
            }
            guard host.allSatisfy({ isSchemeByte($0) || $0 == 0x5F || $0 == 0x7E }) else {
                throw .malformed("the host \"\(string(host))\" has a character that no host name has")
            }
        }
        guard !host.isEmpty else { throw .malformed("no host") }
        let usual: UInt16 = scheme == "https" ? 443 : 80
        var port = usual
        if let portText, !portText.isEmpty {
            guard portText.allSatisfy(\.isDigit), let number = UInt16(string(portText)) else {
                throw .malformed("the port is not a number up to 65535: \"\(string(portText))\"")
            }
            port = number
        }
        let name = string(shown)
        return (string(host), port, port == usual ? name : "\(name):\(port)", credentials)
    }

    /// Without fragment and dot segments; bytes outside ASCII are percent-encoded, everything else goes as it was typed.
    private static func target(of bytes: ArraySlice<UInt8>) -> String {
        let whole = bytes[..<(bytes.firstIndex(of: 0x23) ?? bytes.endIndex)]
        let question = whole.firstIndex(of: 0x3F) ?? whole.endIndex
        var segments: [ArraySlice<UInt8>] = []
        let parts = whole[..<question].split(separator: 0x2F, omittingEmptySubsequences: false).dropFirst()
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            switch string(part).lowercased() {
            case ".", "%2e":
                if isLast { segments.append([]) }
            case "..", ".%2e", "%2e.", "%2e%2e":
                _ = segments.popLast()
                if isLast { segments.append([]) }
            default: segments.append(part)
            }
        }
        var result = ""
        func append(_ part: ArraySlice<UInt8>) {
            for byte in part {
                if byte < 0x80 {
                    result.unicodeScalars.append(Unicode.Scalar(byte))
                } else {
                    result += PercentCoding.encode(byte)
                }
            }
        }
        for segment in segments {
            result += "/"
            append(segment)
        }
        if result.isEmpty { result = "/" }
        append(whole[question...])
        return result
    }

    /// Percent-decoded; control characters could end a field line.
    private static func decoded(_ bytes: ArraySlice<UInt8>) throws(Failure) -> String {
        let text = PercentCoding.decode(bytes)
        guard text.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw .malformed("the user name or password has a control character in it")
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Percent-encoding (RFC 3986 section 2.1).
enum PercentCoding {
    static func decode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        let all = Array(bytes)
        var index = 0
        while index < all.count {
            if all[index] == 0x25, index + 2 < all.count, all[index + 1].hexadecimalValue < 16,
                all[index + 2].hexadecimalValue < 16
            {
                result.append(all[index + 1].hexadecimalValue << 4 | all[index + 2].hexadecimalValue)
                index += 3
            } else {
                result.append(all[index])
                index += 1
            }
        }
        return result
    }

    /// A byte as `%2F`.
    static func encode(_ byte: UInt8) -> String { "%" + String(hexadecimal: UInt64(byte), digits: 2, uppercase: true) }

    /// Everything but unreserved characters encoded, as in a form's value.
    static func encode(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        for byte in bytes {
            let isPlain =
                (byte | 0x20) &- 0x61 < 26 || byte.isDigit || byte == 0x2D || byte == 0x2E || byte == 0x5F
                || byte == 0x7E
            if isPlain {
                result.append(byte)
            } else {
                result += encode(byte).utf8
            }
        }
        return result
    }
}
