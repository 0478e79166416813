// SPDX-License-Identifier: Apache-2.0
// PURGE, as the field knows it: whoever may takes what is stored for the target out of the cache.

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
        reason = "purge"
        guard mayPurge else {
            reason = "purge-refused"
            deliverError(
                405, "PURGE is not for this address (--cache-purge-from).",
                allow: "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE")
            return true
        }
        let key = service.keyScratch
        key.clear()
        guard CacheKey.write(isSecureForClient ? .https : .http, head, headBytes, to: key) else {
            deliverError(400, "PURGE needs a target with a host.")
            return true
        }
        cache.store.purge(CacheScope(.url, key.readable))
        deliverAnswer(200, Array("text/plain; charset=utf-8".utf8), Array("Purged.\n".utf8))
        return true
    }

    /// Whether the peer itself asks, from an address that may. Behind a proxy on the same machine everybody has its address, so
    /// a request that was forwarded does not count.
    private var mayPurge: Bool {
        guard let peer = stream?.peer, head.fields.first(.via) == nil, head.fields.first(.xForwardedFor) == nil,
            head.fields.first(.forwarded) == nil
        else { return false }
        for range in view.snapshot.configuration.cache.purgers where peer.isIn(range.bytes, prefix: range.prefix) {
            return true
        }
        return false
    }
}
