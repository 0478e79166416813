// SPDX-License-Identifier: Apache-2.0
// An upstream server as it is written: `http://host:port` or `https://host:port`, and after it, in a flag or variable, `,weight=N` and `,backup`.

extension Configuration.Server {
    /// A server as `--upstream` has it; or a sentence that says what is wrong.
    public static func read(_ text: String) -> (server: Configuration.Server?, problem: String) {
        do throws(Refusal) {
            return (try ServerText.server(text), "")
        } catch {
            return (nil, error.message)
        }
    }
}

enum ServerText {
    static let weights = 1...256

    /// A server with its options.
    static func server(_ text: String) throws(Refusal) -> Configuration.Server {
        try checkUser(text)
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        var server = try url(String(parts[0]))
        var given: Set<Substring> = []
        for option in parts.dropFirst() {
            let pair = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard given.insert(pair[0]).inserted else { throw Refusal("\(pair[0]) is given twice") }
            switch (pair[0], pair.count) {
            case ("weight", 2): server.weight = try weight(String(pair[1]))
            case ("weight", _): throw Refusal("weight needs a value: weight=2")
            case ("backup", 1): server.isBackup = true
            case ("backup", _): throw Refusal("backup takes no value")
            default:
                throw Refusal(
                    "unknown option \(quoted(String(option)))"
                        + suggestion(for: String(pair[0]), among: ["weight", "backup"]))
            }
        }
        return server
    }

    static func weight(_ text: String) throws(Refusal) -> Int {
        guard let number = Quantities.digits(text), weights.contains(number) else {
            throw Refusal(
                "weight must be a whole number from \(weights.lowerBound) to \(weights.upperBound), found \(quoted(text))"
            )
        }
        return number
    }

    /// A server's address without options; port 80, or 443 with `https`, when none is named.
    static func url(_ text: String) throws(Refusal) -> Configuration.Server {
        try checkUser(text)
        guard let end = text.firstRange(of: "://") else {
            let hint = (try? url("http://" + text)) != nil ? " (did you mean http://\(text)?)" : ""
            throw Refusal(
                "expected the URL of a server, such as http://127.0.0.1:9001; found \(quoted(text))\(hint)")
        }
        let scheme = text[..<end.lowerBound].lowercased()
        guard ["http", "https"].contains(scheme) else {
            throw Refusal("the scheme must be http or https; found \(quoted(scheme))")
        }
        let rest = text[end.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        guard ["", "/"].contains(rest.dropFirst(authority.count)) else {
            throw Refusal(
                "a server's URL has no path; found \(quoted(String(rest.dropFirst(authority.count)))) "
                    + "(a route's rewrite changes paths)")
        }
        return try server(authority: String(authority), isTLS: scheme == "https")
    }

    /// First of all checks, so that no message about another mistake quotes a password.
    private static func checkUser(_ text: String) throws(Refusal) {
        guard !text.contains("@") else { throw Refusal("a server's URL has no user or password") }
    }

    private static func server(authority: String, isTLS: Bool) throws(Refusal) -> Configuration.Server {
        let usual: UInt16 = isTLS ? 443 : 80
        if authority.hasPrefix("[") {
            let literal = authority.dropFirst().prefix { $0 != "]" }
            let rest = authority.dropFirst(literal.count + 2)
            guard authority.dropFirst(literal.count + 1).hasPrefix("]"), rest.isEmpty || rest.hasPrefix(":"),
                let bytes = Addresses.bytes(of: String(literal)), bytes.count == 16
            else { throw Refusal("expected an IPv6 address in brackets, such as [::1]; found \(quoted(authority))") }
            return Configuration.Server(
                host: Addresses.text(of: bytes), port: try port(rest, usual: usual), isTLS: isTLS)
        }
        let name = authority.prefix { $0 != ":" }
        let rest = authority.dropFirst(name.count)
        guard rest.dropFirst().firstIndex(of: ":") == nil else {
            throw Refusal("an IPv6 address needs brackets: http://[::1]:9001; found \(quoted(authority))")
        }
        guard let host = Addresses.hostName(String(name)) else {
            throw Refusal("expected a host name or an address; found \(quoted(String(name)))")
        }
        return Configuration.Server(host: host, port: try port(rest, usual: usual), isTLS: isTLS)
    }

    private static func port(_ text: Substring, usual: UInt16) throws(Refusal) -> UInt16 {
        guard !text.isEmpty else { return usual }
        guard let number = Quantities.digits(text.dropFirst()), (1...65_535).contains(number) else {
            throw Refusal("the port must be a whole number from 1 to 65535; found \(quoted(String(text.dropFirst())))")
        }
        return UInt16(number)
    }
}
