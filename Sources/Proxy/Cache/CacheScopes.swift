// SPDX-License-Identifier: Apache-2.0
// What a purge may find a response by: its URL, its host, the folders its path is in, its tags. The scheme and the port count
// for the URL only: who purges a host or a folder means what people see there.

import Bytes
import CachePolicy
package import CacheStore

/// Makes scopes.
package enum CacheScopes {
    /// Folders of a path that a response can be found by, from the root on. Deeper ones cannot be purged by prefix.
    static let depth = 16

    /// Those of a response stored under that key. Empty for bytes that are no key.
    package static func of(key: Span<UInt8>) -> [CacheScope] {
        guard let parts = CacheKeyParts(key) else { return [] }
        var scopes = [CacheScope(.url, key), CacheScope(.host, key.extracting(parts.hostRange))]
        // The root is the host.
        var slash = parts.pathRange.lowerBound
        while scopes.count < 2 + depth, let next = key.firstIndex(of: 0x2F, from: slash + 1),
            next < parts.pathRange.upperBound
        {
            scopes.append(CacheScope(.prefix, key.extracting(parts.hostRange.lowerBound..<next + 1)))
            slash = next
        }
        return scopes
    }

    /// That of the host of a key; nil for bytes that are no key.
    package static func host(of key: Span<UInt8>) -> CacheScope? {
        CacheKeyParts(key).map { CacheScope(.host, key.extracting($0.hostRange)) }
    }

    /// All that is below the path of this key, which ends with a slash; nil when it does not, or is too deep.
    package static func below(key: Span<UInt8>) -> CacheScope? {
        guard let parts = CacheKeyParts(key), parts.queryRange == nil, key[parts.pathRange.upperBound - 1] == 0x2F
        else { return nil }
        if parts.pathRange.count == 1 { return CacheScope(.host, key.extracting(parts.hostRange)) }
        var slashes = 0
        for index in parts.pathRange where key[index] == 0x2F { slashes += 1 }
        guard slashes - 1 <= depth else { return nil }
        return CacheScope(.prefix, key.extracting(parts.hostRange.lowerBound..<parts.pathRange.upperBound))
    }

    /// That of a tag.
    package static func tag(_ hash: UInt64) -> CacheScope {
        let bytes = unsafe withUnsafeBytes(of: hash.bigEndian) { unsafe Array($0) }
        return CacheScope(.tag, bytes.span)
    }
}
