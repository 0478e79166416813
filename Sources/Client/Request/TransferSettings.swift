// SPDX-License-Identifier: Apache-2.0
// All that a command line says about how to fetch, as values. The same for every URL of one command.

import Bytes

/// A field to send, or not to.
public struct RequestField: Equatable, Sendable {
    /// The name, as given.
    public var name: String
    /// The value; nil takes a default field away (`-H "Accept:"`).
    public var value: String?

    /// A field.
    public init(name: String, value: String?) {
        self.name = name
        self.value = value
    }

    /// Reads `Name: value`; `Name:` takes the field away, `Name;` sends it empty.
    public init(parsing text: String) throws(ClientFailure) {
        let bytes = Array(text.utf8)
        let end = bytes.firstIndex { $0 == 0x3A || $0 == 0x3B } ?? bytes.count
        let name = bytes[..<end]
        let isSafe = bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
        guard end < bytes.count, !name.isEmpty, isSafe, name.allSatisfy({ RequestField.isToken($0) }) else {
            throw .usage("-H \"\(text)\": expected \"Name: value\" without control characters")
        }
        var value = bytes[(end + 1)...]
        while let first = value.first, first == 0x20 || first == 0x09 { value = value.dropFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value = value.dropLast() }
        self.name = String(decoding: name, as: UTF8.self)
        if bytes[end] == 0x3B {
            guard value.isEmpty else {
                throw .usage("-H \"\(text)\": expected \"Name: value\", or \"Name;\" for an empty one")
            }
            self.value = ""
        } else {
            self.value = value.isEmpty ? nil : String(decoding: value, as: UTF8.self)
        }
    }

    /// Whether a byte may stand in a name (RFC 9110 section 5.6.2).
    static func isToken(_ byte: UInt8) -> Bool {
        byte.isDigit || (byte | 0x20) &- 0x61 < 26 || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }

    /// Whether the name is `other`, which is in lower case.
    func isNamed(_ other: String) -> Bool { name.lowercased() == other }
}

/// Where a connection goes instead of where the URL says.
public struct AddressOverride: Equatable, Sendable {
    /// The host, in lower case, or `*`.
    public var host: String
    /// The port.
    public var port: UInt16
    /// Addresses, or a name.
    public var addresses: [String]

    /// Reads `HOST:PORT:ADDRESS[,ADDRESS]`, an IPv6 address perhaps in brackets.
    public init(parsing text: String) throws(ClientFailure) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, let port = UInt16(parts[1]), !parts[2].isEmpty else {
            throw ClientFailure(
                49, "--resolve \"\(text)\": expected HOST:PORT:ADDRESS, such as example.org:443:127.0.0.1")
        }
        host = parts[0].lowercased()
        self.port = port
        addresses = parts[2].split(separator: ",").map { part in
            part.hasPrefix("[") && part.hasSuffix("]") ? String(part.dropFirst().dropLast()) : String(part)
        }
    }
}

/// A proxy between the client and servers.
public struct ProxyServer: Equatable, Sendable {
    /// Where it is, and who asks.
    public var url: HTTPURL

    /// Reads `[http://][USER:PASSWORD@]HOST[:PORT]`; port 1080 where none is named, as curl does.
    public init(parsing text: String) throws(ClientFailure) {
        do throws(HTTPURL.Failure) {
            url = try HTTPURL(text)
        } catch {
            throw ClientFailure(5, "-x \(text): not a proxy that can be used: an http:// URL is expected")
        }
        guard url.scheme == "http" else {
            throw ClientFailure(5, "-x \(text): proxies are spoken to in the clear here; give it as http://")
        }
        // curl's default port for proxies is not that of the scheme.
        let authority = text.hasSuffix("/") ? text.dropLast() : text[...]
        if url.port == 80, !authority.hasSuffix(":80") {
            url.port = 1080
            url.authority = "\(url.authority):1080"
        }
    }
}

/// What the cache may do, in the words of the Fetch standard (section 2.2.5, "cache mode").
public enum CacheMode: String, CaseIterable, Sendable {
    /// What is fresh is used, what is stale is validated.
    case standard = "default"
    /// Nothing is looked up, nothing is stored.
    case noStore = "no-store"
    /// Nothing is looked up; what comes is stored.
    case reload
    /// What is stored is validated, fresh or not.
    case noCache = "no-cache"
    /// What is stored is used, fresh or not; else the server is asked.
    case forceCache = "force-cache"
    /// What is stored is used, fresh or not; the server is never asked.
    case onlyIfCached = "only-if-cached"
}

/// Where a download goes on.
public enum Resumption: Equatable, Sendable {
    /// Behind what the output file has already.
    case automatic
    /// At this offset.
    case at(UInt64)
}

/// How requests are made and responses taken.
public struct TransferSettings: Sendable {
    /// The method, or nil for what the rest suggests.
    public var method: String?
    /// Ask by HEAD.
    public var asksForHead = false
    /// Fields to add, change or leave out.
    public var fields: [RequestField] = []
    /// User-Agent, nil for the default.
    public var userAgent: String?
    /// Referer.
    public var referer: String?
    /// For Basic authentication at the server.
    public var credentials: HTTPURL.Credentials?
    /// For Basic authentication at the proxy.
    public var proxyCredentials: HTTPURL.Credentials?
    /// What is sent.
    public var body = RequestBody.none
    /// Its media type, unless a field says otherwise.
    public var contentType: String?
    /// What `Range` says behind `bytes=`.
    public var range: String?
    /// Where a transfer goes on.
    public var resumption: Resumption?
    /// Ask for gzip and decode it.
    public var acceptsCompressed = false
    /// Follow redirects.
    public var followsRedirects = false
    /// Most redirects of one transfer; nil for no limit but that of `RedirectRule.absoluteLimit`.
    public var redirectLimit: Int? = 50
    /// Send credentials to wherever a redirect leads.
    public var trustsLocation = false
    /// Statuses, of 301, 302 and 303, after which a POST stays one.
    public var keepsPostAfter: Set<UInt16> = []
    /// Further attempts.
    public var retry = RetryRule()
    /// For one attempt, redirects included, in milliseconds; nil for no limit.
    public var maxTime: UInt64?
    /// For finding, connecting and securing, in milliseconds.
    public var connectTimeout: UInt64 = 300_000
    /// Addresses by hand.
    public var overrides: [AddressOverride] = []
    /// Connect to this socket, whatever the URL's host.
    public var unixSocket: String?
    /// Ask through this, whatever the URL.
    public var proxy: ProxyServer?
    /// Where there is no such one, ask through this for URLs in the clear.
    public var plainProxy: ProxyServer?
    /// The same for those through TLS.
    public var secureProxy: ProxyServer?
    /// Hosts that are asked directly.
    public var directHosts: [String] = []
    /// Only addresses of this family; 0 for any.
    public var addressFamily: Int32 = 0
    /// End with 22 when the status is 400 or above.
    public var failsOnError = false
    /// The same, but deliver the body.
    public var failsWithBody = false
    /// Longest body, in bytes; nil for no limit but what `BombGuard` sees.
    public var maxBodyBytes: UInt64?
    /// What the cache may do.
    public var cacheMode = CacheMode.standard
    /// What stored responses are kept apart by, beside the request: whom one believes, and what one shows.
    public var trust = ""

    /// curl's defaults.
    public init() {}

    /// The proxy for a URL, unless its host is asked directly. Redirects lead from one scheme to the other.
    public func proxy(for url: HTTPURL) -> ProxyServer? { proxy ?? (url.isSecure ? secureProxy : plainProxy) }

    /// The method that is meant.
    public var effectiveMethod: String {
        if let method { return method }
        if asksForHead { return "HEAD" }
        switch body {
        case .none: return "GET"
        case .bytes, .form: return "POST"
        case .file: return "PUT"
        }
    }
}
