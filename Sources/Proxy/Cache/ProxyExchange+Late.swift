// SPDX-License-Identifier: Apache-2.0
// Responses that nobody waits for, and that are stored all the same when their heads say that they may be. So a request whose own
// fields are likely to forbid that (RFC 9111 section 3.5) leads nobody, and one that was let go because another's answer came to
// nothing fills the cache with its own.

import CachePolicy
import CacheStore

/// What has to be so still when the head comes.
struct LateLead {
    /// The purge generation in which the response was asked for.
    let generation: UInt64
    /// `RecentChanges.count` of its resource at that time.
    let changes: UInt32
}

extension ProxyExchange {
    /// The answer may be stored when it comes. To be called before the request is forwarded.
    func mayLeadLater(_ cache: ResponseCache) {
        guard let request = use.request, request.contribution != .nothing, !request.present.contains(.range) else {
            return
        }
        use.key = keptKey
        use.later = LateLead(generation: cache.store.generation, changes: cache.changes.count(use.id))
    }

    /// The download that the head which has come begins. Nil when another's is under way, or when what came may be older than a
    /// change of its resource.
    func leadNow(_ cache: ResponseCache) -> Fill? {
        guard let later = use.later, later.changes == cache.changes.count(use.id) else { return nil }
        use.later = nil
        let reader = newReader()
        let key = keptKey
        let joined = cache.store.join(use.id, key: key, as: reader, asked: later.generation) {
            CacheScopes.of(key: key.bytes)
        }
        switch joined {
        case .lead(let fill):
            // Whoever changes the resource from now on finds the download.
            if later.changes == cache.changes.count(use.id) { return fill }
            fill.leave()
        case .follow(let other): other.detach(reader)
        case .alone: break
        }
        reader.detach()
        use.reader = nil
        return nil
    }
}
