// SPDX-License-Identifier: Apache-2.0

/// An `http` or `https` URL taken apart, as a client needs it (RFC 3986 section 3, RFC 9110 section 4.2.1).
public struct HTTPURL: Equatable, Sendable {
    /// Lower-case scheme.
    public var scheme: String
    /// Host as it goes to the resolver: a name, or an address without brackets.
    public var host: String
    /// 80 or 443 where the URL names none.
    public var port: UInt16
    /// Path and query, beginning with `/`.
    public var target: String
    /// What `Host` says: the port only when it is not the scheme's default.
    public var authority: String

    /// Whether it is reached through TLS.
    public var isSecure: Bool { scheme == "https" }

    /// Why a URL cannot be used.
    public enum Failure: Error, Equatable, Sendable {
        /// The scheme is not one that this client speaks.
        case unsupportedScheme(String)
        /// It is not a URL: what is wrong with it.
        case malformed(String)
    }

    /// Reads a URL. Without a scheme `http://` is taken for granted, as curl does.
    public init(_ text: String) throws(Failure) {
        var rest = Substring(text)
        if let colon = rest.range(of: "://") {
            scheme = rest[..<colon.lowerBound].lowercased()
            rest = rest[colon.upperBound...]
        } else {
            scheme = "http"
        }
        guard scheme == "http" || scheme == "https" else { throw .unsupportedScheme(scheme) }
        for byte in text.utf8 where byte <= 0x20 || byte == 0x7F {
            throw .malformed("it contains a space or a control character")
        }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        var hostPart = rest[..<end]
        var path = rest[end...]
        if let fragment = path.firstIndex(of: "#") { path = path[..<fragment] }
        target = path.isEmpty ? "/" : path.hasPrefix("/") ? String(path) : "/" + path
        target = Self.encoded(target)
        if let at = hostPart.lastIndex(of: "@") {
            throw .malformed("\"\(hostPart[...at])\" in front of the host is not supported; use -H 'Authorization: …'")
        }
        var portText: Substring?
        if hostPart.hasPrefix("[") {
            guard let close = hostPart.firstIndex(of: "]") else { throw .malformed("\"[\" without \"]\"") }
            host = String(hostPart[hostPart.index(after: hostPart.startIndex)..<close])
            let behind = hostPart[hostPart.index(after: close)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { throw .malformed("\"\(behind)\" behind the address") }
            portText = behind.isEmpty ? nil : behind.dropFirst()
            hostPart = hostPart[...close]
        } else {
            if let colon = hostPart.firstIndex(of: ":") {
                portText = hostPart[hostPart.index(after: colon)...]
                hostPart = hostPart[..<colon]
            }
            host = String(hostPart)
        }
        guard !host.isEmpty else { throw .malformed("no host") }
        let usual: UInt16 = scheme == "https" ? 443 : 80
        port = usual
        if let portText, !portText.isEmpty {
            guard portText.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt16(portText)
            else {
                throw .malformed("the port is not a number up to 65535: \"\(portText)\"")
            }
            port = number
        }
        authority = port == usual ? String(hostPart) : "\(hostPart):\(port)"
    }

    /// Bytes outside ASCII are percent-encoded; everything else goes as it was typed.
    private static func encoded(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 >= 0x80 }) else { return text }
        var result = ""
        for byte in text.utf8 {
            if byte < 0x80 {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + digits
            }
        }
        return result
    }
}

extension Substring {
    /// Where `text` first occurs.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
