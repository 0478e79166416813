// SPDX-License-Identifier: Apache-2.0
// One cookie, and how it is read from Set-Cookie (RFC 6265 section 5.2; prefixes and the rest of RFC 6265bis that keeps one
// site from setting another's).

import Bytes

/// A cookie. Times are seconds of Unix time.
public struct Cookie: Equatable, Sendable {
    /// The name, possibly empty.
    public var name: String
    /// The value.
    public var value: String
    /// The host it is for, lower case, without a dot in front.
    public var domain: String
    /// Only for that very host, not for those below it.
    public var isHostOnly = true
    /// The path it is for.
    public var path = "/"
    /// When it ends; nil with the session.
    public var expires: Int64?
    /// Only over TLS.
    public var isSecure = false
    /// Not for scripts; kept for the file only.
    public var isHTTPOnly = false

    /// Longest name and value together, in bytes (RFC 6265 section 6.1).
    static let limit = 4_096

    /// A cookie of that name for a host.
    public init(name: String, value: String, domain: String) {
        self.name = name
        self.value = value
        self.domain = domain
    }

    /// Reads a Set-Cookie value that came from `url`. Nil when it may not be set, or not from there.
    init?(parsing text: String, from url: HTTPURL, now: Int64) {
        // Control bytes could end a line in the file or change a terminal.
        let bytes = Array(text.utf8)
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { return nil }
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(Self.trimmed)
        guard let pair = parts.first else { return nil }
        if let equals = pair.firstIndex(of: "=") {
            name = Self.trimmed(pair[..<equals])
            value = Self.trimmed(pair[pair.index(after: equals)...])
        } else {
            name = ""
            value = pair
        }
        guard !(name.isEmpty && value.isEmpty), name.utf8.count + value.utf8.count <= Self.limit else { return nil }
        // A nameless cookie must not be taken for one with a prefix.
        if name.isEmpty, value.lowercased().hasPrefix("__host-") || value.lowercased().hasPrefix("__secure-") {
            return nil
        }
        let host = CookieDomain.normal(url.host)
        domain = host
        path = Self.defaultPath(url)
        var maxAge: Int64?
        for part in parts.dropFirst() {
            let equals = part.firstIndex(of: "=")
            let key = Self.trimmed(part[..<(equals ?? part.endIndex)]).lowercased()
            let argument = equals.map { Self.trimmed(part[part.index(after: $0)...]) } ?? ""
            switch key {
            case "expires": if let date = CookieDate.parse(argument) { expires = date }
            case "max-age":
                guard let seconds = Int64(argument) else { break }
                maxAge = seconds <= 0 ? 0 : now.addingReportingOverflow(min(seconds, Self.longest)).partialValue
            case "domain":
                var asked = argument.lowercased()
                if asked.hasPrefix(".") { asked.removeFirst() }
                guard !asked.isEmpty else { break }
                guard CookieDomain.matches(host, asked) else { return nil }
                if CookieDomain.isPublic(asked) {
                    guard asked == host else { return nil }
                    isHostOnly = true
                    break
                }
                domain = asked
                isHostOnly = CookieDomain.isAddress(host)
            case "path": path = argument.hasPrefix("/") ? argument : Self.defaultPath(url)
            case "secure": isSecure = true
            case "httponly": isHTTPOnly = true
            default: break
            }
        }
        if let maxAge { expires = maxAge }
        if let end = expires { expires = min(end, now &+ Self.longest) }
        if isSecure, !CookieDomain.isTrustworthy(url) { return nil }
        let lower = name.lowercased()
        if lower.hasPrefix("__secure-"), !isSecure { return nil }
        if lower.hasPrefix("__host-"), !(isSecure && isHostOnly && path == "/") { return nil }
    }

    /// RFC 6265bis section 5.5: no cookie lives longer than 400 days.
    private static let longest: Int64 = 400 * 86_400

    /// RFC 6265 section 5.1.4.
    private static func defaultPath(_ url: HTTPURL) -> String {
        let path = url.path
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return String(text)
    }

    /// Whether it goes with a request to `url` (RFC 6265 section 5.4).
    func applies(to url: HTTPURL, now: Int64) -> Bool {
        let host = CookieDomain.normal(url.host)
        guard isHostOnly ? host == domain : CookieDomain.matches(host, domain) else { return false }
        guard !isSecure || CookieDomain.isTrustworthy(url) else { return false }
        guard !isExpired(now: now) else { return false }
        return Self.path(url.path, isIn: path)
    }

    /// RFC 6265 section 5.1.4, "path-match".
    static func path(_ requested: String, isIn path: String) -> Bool {
        guard requested.hasPrefix(path) else { return false }
        return requested.utf8.count == path.utf8.count || path.hasSuffix("/")
            || requested.dropFirst(path.count).hasPrefix("/")
    }

    /// Whether its time is over.
    func isExpired(now: Int64) -> Bool { expires.map { $0 <= now } ?? false }

    /// Whether both are one cookie, of which the newer replaces the older.
    func isSame(as other: Cookie) -> Bool {
        name == other.name && domain == other.domain && path == other.path && isHostOnly == other.isHostOnly
    }
}

/// Whose cookies are whose.
enum CookieDomain {
    /// A host as it is compared: lower case, without a dot at its end, with which one host would have two sets of cookies.
    static func normal(_ host: String) -> String {
        let lower = host.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }

    /// RFC 6265 section 5.1.3: a host matches itself, and a name it is below of; an address only itself.
    static func matches(_ host: String, _ domain: String) -> Bool {
        host == domain || (host.hasSuffix("." + domain) && !isAddress(host))
    }

    static func isAddress(_ host: String) -> Bool {
        host.contains(":") || (host.last?.isNumber ?? false) && host.utf8.allSatisfy { $0.isDigit || $0 == 0x2E }
    }

    /// Whether strangers share the name, so that nobody may set cookies for all of it: a single label such as `com`, and what
    /// `PublicSuffixes` knows.
    static func isPublic(_ domain: String) -> Bool {
        !domain.contains(".") || domain.hasSuffix(".") || PublicSuffixes.contains(domain)
    }

    /// Whether nobody in between can read or set the cookie: TLS, or this very machine.
    static func isTrustworthy(_ url: HTTPURL) -> Bool {
        let host = normal(url.host)
        return url.isSecure || host == "localhost" || host == "127.0.0.1" || host == "::1"
    }
}

/// Dates as cookies have them: anything (RFC 6265 section 5.1.1).
enum CookieDate {
    static func parse(_ text: String) -> Int64? {
        var time: (hour: Int, minute: Int, second: Int)?
        var day: Int?
        var month: Int?
        var year: Int?
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        let tokens = text.utf8.split { byte in
            byte == 0x09 || (0x20...0x2F).contains(byte) || (0x3B...0x40).contains(byte)
                || (0x5B...0x60).contains(byte) || (0x7B...0x7E).contains(byte)
        }
        for token in tokens.prefix(32) {
            let word = String(decoding: token, as: UTF8.self).lowercased()
            let digits = word.prefix { $0.isASCII && $0.isNumber }
            if time == nil, word.contains(":") {
                let parts = word.split(separator: ":").map { Int($0.prefix { $0.isASCII && $0.isNumber }) }
                if parts.count == 3, let hour = parts[0], let minute = parts[1], let second = parts[2],
                    hour < 24, minute < 60, second < 60
                {
                    time = (hour, minute, second)
                    continue
                }
            }
            if day == nil, (1...2).contains(digits.count), let number = Int(digits) {
                day = number
                continue
            }
            if month == nil, let found = months.firstIndex(where: { word.hasPrefix($0) }) {
                month = found + 1
                continue
            }
            if year == nil, (2...4).contains(digits.count), let number = Int(digits) {
                year = number < 70 ? number + 2_000 : number < 100 ? number + 1_900 : number
            }
        }
        guard let time, let day, let month, let year, (1...31).contains(day), (1_601...9_999).contains(year) else {
            return nil
        }
        return daysSince1970(year, month, day) * 86_400 + Int64(time.hour * 3_600 + time.minute * 60 + time.second)
    }

    /// Of the Gregorian calendar.
    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return Int64(era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468)
    }
}
