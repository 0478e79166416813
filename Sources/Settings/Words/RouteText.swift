// SPDX-License-Identifier: Apache-2.0
// The words of a route: hosts, paths, methods, fields and redirect targets, each checked as strictly as what is sent
// with it must be.

enum RouteText {
    /// Fields that say how a message is framed or that end at the next hop: the gateway writes them itself.
    private static let ownFields: Set<String> = [
        "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade",
    ]
    /// Words in the names of fields whose values are credentials: what a dump and messages do not show.
    private static let secretWords = [
        "authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "x-auth",
    ]
    private static let placeholders = ["path", "query", "host"]

    static func host(_ text: String) throws(Refusal) -> String {
        let bare = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
        if let name = Addresses.hostName(bare), bare == text || Addresses.bytes(of: bare) == nil {
            return bare == text ? name : "*." + name
        }
        if text.hasPrefix("["), text.hasSuffix("]"),
            let bytes = Addresses.bytes(of: String(text.dropFirst().dropLast())), bytes.count == 16
        {
            return "[\(Addresses.text(of: bytes))]"
        }
        if let colon = bare.lastIndex(of: ":"), Addresses.hostName(String(bare[..<colon])) != nil {
            throw Refusal("a route's host has no port; found \(quoted(text))")
        }
        throw Refusal("expected a host, such as example.org or *.example.org; found \(quoted(text))")
    }

    static func path(_ text: String) throws(Refusal) -> String {
        guard text.hasPrefix("/") else { throw Refusal("a path starts with '/'; found \(quoted(text))") }
        guard !text.contains(where: { "?#".contains($0) }) else {
            throw Refusal("a path has no '?' or '#'; found \(quoted(text))")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }) else {
            throw Refusal("a path has no spaces, backslashes, control or non-ASCII characters; found \(quoted(text))")
        }
        guard !text.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else {
            throw Refusal("a path has no '.' or '..' segments; found \(quoted(text))")
        }
        return text
    }

    static func method(_ text: String) throws(Refusal) -> String {
        guard isToken(text) else { throw Refusal("expected a method, such as GET; found \(quoted(text))") }
        guard text == text.uppercased() else {
            throw Refusal("methods are in upper case; found \(quoted(text)) (did you mean \(text.uppercased())?)")
        }
        return text
    }

    static func location(_ text: String) throws(Refusal) -> String {
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Refusal("a target has no spaces, control or non-ASCII characters; found \(quoted(text))")
        }
        let lower = text.lowercased()
        guard ["http://", "https://", "/", "{path}"].contains(where: lower.hasPrefix) else {
            throw Refusal("expected a target that starts with http://, https:// or /; found \(quoted(text))")
        }
        var rest = text[...]
        while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            let tail = rest[brace...]
            let name = tail.dropFirst().prefix { $0 != "}" }
            guard tail.first == "{", name.endIndex < tail.endIndex, placeholders.contains(String(name)) else {
                throw Refusal(
                    "unknown placeholder \(quoted(String(tail.prefix(name.count + 2)))); there are {path}, {query} and "
                        + "{host}")
            }
            rest = tail[name.endIndex...].dropFirst()
        }
        return text
    }

    static func mediaType(_ text: String) throws(Refusal) -> String {
        let essence = text.prefix { $0 != ";" }.trimmed.split(separator: "/", omittingEmptySubsequences: false)
        guard essence.count == 2, essence.allSatisfy({ isToken(String($0)) }) else {
            throw Refusal("expected a media type, such as text/plain; found \(quoted(text))")
        }
        return try fieldValue(text)
    }

    static func checkField(_ name: String, isRequest: Bool, isRemoved: Bool) throws(Refusal) {
        guard isToken(name) else { throw Refusal("expected a field name, such as X-Env; found \(quoted(name))") }
        let lower = name.lowercased()
        guard !ownFields.contains(lower) else { throw Refusal("\(name) is written by the gateway itself") }
        guard lower != "host" || isRequest && !isRemoved else {
            throw Refusal(isRequest ? "Host can be set, but not removed" : "Host is not a field of responses")
        }
    }

    /// Whether a field of this name most likely carries a credential: `Authorization`, `Cookie`, `X-Api-Key`.
    static func isSecret(field name: String) -> Bool {
        let name = name.lowercased()
        return secretWords.contains { name.contains($0) }
    }

    static func fieldValue(_ text: String, isSecret: Bool = false) throws(Refusal) -> String {
        let found = isSecret ? "" : "; found \(quoted(text))"
        guard !text.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else {
            throw Refusal("a field value has no control characters\(found)")
        }
        guard text[...].trimmed == text else {
            throw Refusal("a field value neither starts nor ends with a space\(found)")
        }
        return text
    }

    /// A token of RFC 9110, section 5.6.2.
    static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
