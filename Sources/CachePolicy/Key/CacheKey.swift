// SPDX-License-Identifier: Apache-2.0
// What a response is stored under (RFC 9111 §2): scheme, host, port, path and query, and nothing else of the request
// but the fields that Vary names. GET and HEAD share a key; no other method has one.
//
// Spellings. RFC 9110 §4.2.3 and RFC 3986 §6.2 allow to take more for the same than is done here. Merged is only what
// RFC 9110 names the same in so many words: the case of the host; the default port, given or not (`http://h:80/`,
// `http://h:/`, `http://h/`); an empty path and `/`. Absolute-form and origin-form of one URI are the same: the parser
// has taken the target apart.
//
// Not merged, because an origin may answer each differently, and a wrong merge serves one user the other's page: `%7E`
// and `~`, `%2f` and `%2F`; dot segments, double slashes; a host with a dot at its end; no query and an empty one.

public import Bytes
public import HTTP

/// The scheme of a target URI.
public enum URIScheme: UInt8, Sendable {
    /// `http`.
    case http = 0
    /// `https`.
    case https = 1

    /// The port that is meant when none is given.
    public var defaultPort: UInt16 { self == .http ? 80 : 443 }
}

/// Writes canonical keys.
public enum CacheKey {
    /// Longest key, in bytes: a head is at most 65,535.
    public static let limit = 65_536 + overhead
    /// Bytes of a key beside host, path and query.
    static let overhead = 14

    /// Appends the key. False, with the block as it was, when the authority is none (HTTP/1.0 without Host) or there is
    /// no room: then the request is forwarded past the cache.
    ///
    /// The form: version 1, scheme, port (2 bytes), lengths of host (2), path (4) and query (4; all ones when there is
    /// none), big-endian; then host, path, query. Lengths before what they measure: two different URIs never have one
    /// key.
    public static func write(
        _ scheme: URIScheme, authority: Span<UInt8>, path: Span<UInt8>, query: Span<UInt8>, hasQuery: Bool,
        to block: Block
    ) -> Bool {
        guard let parsed = Authority.parse(authority) else { return false }
        let host = parsed.hostRange
        let pathCount = max(path.count, 1)
        guard block.free >= overhead + host.count + pathCount + query.count, host.count <= 0xFFFF else { return false }
        block.append(1)
        block.append(scheme.rawValue)
        block.append(big: UInt64(parsed.port ?? scheme.defaultPort), bytes: 2)
        block.append(big: UInt64(host.count), bytes: 2)
        block.append(big: UInt64(pathCount), bytes: 4)
        block.append(big: hasQuery ? UInt64(query.count) : 0xFFFF_FFFF, bytes: 4)
        for offset in host { block.append(authority[offset].lowercased) }
        if path.isEmpty { block.append(0x2F) } else { block.append(path) }
        if hasQuery { block.append(query) }
        return true
    }

    /// Whether a target of that form names a resource that can be stored.
    static func isKeyed(_ form: TargetForm) -> Bool { form == .origin || form == .absolute }

    /// Appends the key of a request; false as above, and for `OPTIONS *`, which names no resource.
    public static func write(
        _ scheme: URIScheme, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, to block: Block
    ) -> Bool {
        guard isKeyed(head.targetForm) else { return false }
        let query = head.queryRange
        return write(
            scheme, authority: bytes.extracting(head.authorityRange), path: bytes.extracting(head.pathRange),
            query: bytes.extracting(query ?? 0..<0), hasQuery: query != nil, to: block)
    }
}

extension Block {
    /// Appends the lowest `bytes` bytes of `value`, the highest first.
    func append(big value: UInt64, bytes: Int) {
        for position in 0..<bytes {
            append(UInt8(truncatingIfNeeded: value &>> UInt64(8 &* (bytes &- 1 &- position))))
        }
    }
}
