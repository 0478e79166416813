// SPDX-License-Identifier: Apache-2.0
// What a change at the origin makes invalid (RFC 9111 §4.4).

public import Bytes
public import HTTP

/// Finds the keys to invalidate.
public enum Invalidation {
    /// Whether the target URI is to be invalidated: "when it receives a non-error status code in response to an unsafe
    /// request method (including methods whose safety is unknown)". "A 'non-error response' is one with a 2xx or 3xx
    /// status code."
    public static func applies(_ method: Method, status: UInt16) -> Bool {
        !method.isSafe && (200...399).contains(status)
    }

    /// The fields that may name further URIs.
    public static let fields: [2 of FieldName] = [.location, .contentLocation]

    /// Appends the key of the URI that a Location or Content-Location value names. False, with `output` as it was, when
    /// it is of another origin ("a cache MUST NOT trigger an invalidation under these conditions if the origin …
    /// differs from that of the target URI"), no http URI, or too long.
    ///
    /// `head`: the request, whose target the value is relative to. `scratch` is written to and left as it was; both
    /// blocks need 64 bytes and twice the lengths of target and value.
    public static func writeKey(
        _ value: Span<UInt8>, _ scheme: URIScheme, _ head: borrowing RequestHead, _ bytes: Span<UInt8>, scratch: Block,
        to output: Block
    ) -> Bool {
        guard CacheKey.isKeyed(head.targetForm) else { return false }
        let reference = URIReference(value)
        let base = bytes.extracting(head.authorityRange)
        if let named = reference.scheme {
            let name = value.extracting(named)
            guard scheme == .http ? name.equalsIgnoringCase("http") : name.equalsIgnoringCase("https") else {
                return false
            }
            // `http:path` is no http URI.
            guard reference.authority != nil else { return false }
        }
        if let authority = reference.authority {
            guard isSameOrigin(value.extracting(authority), base, scheme) else { return false }
        }
        let mark = scratch.count
        let path = value.extracting(reference.path)
        var query = value.extracting(reference.query ?? 0..<0)
        var hasQuery = reference.query != nil
        let isWritten: Bool
        if path.isEmpty {
            // §5.2.2: with an authority of its own the path is empty, else it is that of the base, and so is the query
            // where the reference has none.
            let isOther = reference.authority != nil
            if !isOther, !hasQuery, let own = head.queryRange {
                query = bytes.extracting(own)
                hasQuery = true
            }
            let target = isOther ? path : bytes.extracting(head.pathRange)
            isWritten = CacheKey.write(
                scheme, authority: base, path: target, query: query, hasQuery: hasQuery, to: output)
        } else if let merged = URIReference.appendMerged(
            base: bytes.extracting(head.pathRange), path: path, to: scratch)
        {
            isWritten = CacheKey.write(
                scheme, authority: base, path: scratch.bytes(merged), query: query, hasQuery: hasQuery, to: output)
        } else {
            isWritten = false
        }
        scratch.truncate(to: mark)
        return isWritten
    }

    /// RFC 9110 §4.3.1: "the triple of scheme, host, and port"; the scheme is compared before.
    private static func isSameOrigin(_ first: Span<UInt8>, _ second: Span<UInt8>, _ scheme: URIScheme) -> Bool {
        guard let one = Authority.parse(first), let other = Authority.parse(second) else { return false }
        return (one.port ?? scheme.defaultPort) == (other.port ?? scheme.defaultPort)
            && first.extracting(one.hostRange).equalsIgnoringCase(second.extracting(other.hostRange))
    }
}
