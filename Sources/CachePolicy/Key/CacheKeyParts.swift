// SPDX-License-Identifier: Apache-2.0

import Bytes

/// A key taken apart: where in it host, path and query are. The inverse of `CacheKey.write`.
public struct CacheKeyParts: Sendable, Equatable {
    /// The scheme of the target URI.
    public var scheme: URIScheme
    /// The port, also where none was given.
    public var port: UInt16
    /// The host, in lower case.
    public var hostRange: Range<Int>
    /// The path, which follows the host; never empty.
    public var pathRange: Range<Int>
    /// The query without `?`.
    public var queryRange: Range<Int>?

    /// Nil for bytes that are no key.
    public init?(_ key: Span<UInt8>) {
        guard key.count >= CacheKey.overhead, key[0] == 1, let scheme = URIScheme(rawValue: key[1]) else { return nil }
        func number(_ range: Range<Int>) -> Int { range.reduce(0) { $0 << 8 | Int(key[$1]) } }
        let query = number(10..<14)
        let host = CacheKey.overhead..<CacheKey.overhead + number(4..<6)
        let path = host.upperBound..<host.upperBound + number(6..<10)
        let end = query == 0xFFFF_FFFF ? path.upperBound : path.upperBound + query
        guard !path.isEmpty, key.count == end else { return nil }
        self.scheme = scheme
        port = UInt16(number(2..<4))
        hostRange = host
        pathRange = path
        queryRange = query == 0xFFFF_FFFF ? nil : path.upperBound..<end
    }
}
