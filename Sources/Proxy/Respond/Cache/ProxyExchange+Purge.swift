// SPDX-License-Identifier: Apache-2.0
// PURGE, as the field knows it: whoever may takes what is stored for the target out of the cache. A target that ends with `/*`
// means all below it; with a Surrogate-Key or Cache-Tag field, the tags are meant and the target is not.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving
import Settings

extension ProxyExchange {
    /// Whether the request is one to purge, which is then answered here; never by an upstream server, to which it would mean
    /// something else.
    func takesPurge(_ cache: ResponseCache) -> Bool {
        guard head.method == .other, headBytes.extracting(head.methodRange).equals("PURGE") else { return false }
        guard mayPurge else {
            refuse(
                405, "purge-refused", "PURGE is not for this address (--cache-purge-from).",
                allow: "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE")
            return true
        }
        reason = "purge"
        if let problem = purge(cache) { refuse(400, "purge", problem) }
        return true
    }

    /// Purges, and answers when that is written down.
    private func purge(_ scope: CacheScope, in host: CacheScope? = nil, _ cache: ResponseCache) {
        let reader = newReader()
        cache.store.purge(
            scope, in: host, then: (service.loop, { isWritten in reader.exchange?.purged(isWritten) }))
    }

    func purged(_ isWritten: Bool) {
        let text = isWritten ? "Purged.\n" : "Purged, but not written down: a restart may bring it back.\n"
        deliverAnswer(200, Array("text/plain; charset=utf-8".utf8), Array(text.utf8))
        stream?.flush()
    }

    /// Purges what the request names. Otherwise what is wrong with it.
    private func purge(_ cache: ResponseCache) -> StaticString? {
        let bytes = headBytes
        if head.fields.first(.surrogateKey) != nil || head.fields.first(.cacheTag) != nil {
            guard let tags = ResponseTags(head, bytes, cache.secret) else {
                return "PURGE takes at most 64 tags at a time."
            }
            guard tags.count > 0 else { return "PURGE names a field of tags, and no tag in it." }
            for position in 1..<tags.count { cache.store.purge(CacheScopes.tag(tags[position])) }
            purge(CacheScopes.tag(tags[0]), cache)
            return nil
        }
        let key = service.keyScratch
        key.clear()
        let scheme: URIScheme = isSecureForClient ? .https : .http
        let path = bytes.extracting(head.pathRange)
        guard path.count >= 2, path[path.count - 1] == UInt8(ascii: "*"), path[path.count - 2] == UInt8(ascii: "/"),
            head.queryRange == nil
        else {
            guard CacheKey.write(scheme, head, bytes, to: key) else { return "PURGE needs a target with a host." }
            purge(CacheScope(.url, key.readable), in: CacheScopes.host(of: key.readable), cache)
            return nil
        }
        guard
            CacheKey.write(
                scheme, authority: bytes.extracting(head.authorityRange), path: path.extracting(0..<path.count - 1),
                query: Span(), hasQuery: false, to: key)
        else { return "PURGE needs a target with a host." }
        guard let scope = CacheScopes.below(key: key.readable) else {
            return "What is below a path can be purged down to 16 folders deep."
        }
        purge(scope, in: CacheScopes.host(of: key.readable), cache)
        return nil
    }

    /// Whether any field says that a proxy has passed the request on.
    private var wasForwarded: Bool {
        for name in [
            FieldName.via, .cdnLoop, .forwarded, .xForwardedFor, .xForwardedProto, .xForwardedHost, .xForwardedPort,
            .xRealIP,
        ] where head.fields.has(name) { return true }
        return false
    }

    /// Whether the peer itself asks, from an address that may. Behind a proxy on the same machine everybody has its address, so
    /// a request that was forwarded does not count.
    private var mayPurge: Bool {
        guard let peer = stream?.client.address, !wasForwarded else { return false }
        for range in view.snapshot.configuration.cache.purgers where peer.isIn(range.bytes, prefix: range.prefix) {
            return true
        }
        return false
    }
}
