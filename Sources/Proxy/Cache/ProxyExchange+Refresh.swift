// SPDX-License-Identifier: Apache-2.0
// Bringing a stale response up to date while its client has it already (RFC 5861 section 3).

import CachePolicy
import CacheStore
import HTTP
import Serving
import Synchronization

extension ProxyExchange {
    /// Refreshes that a loop has under way at most; beyond them what is stale is served, and refreshed for who comes later.
    static let refreshLimit = 1_024

    /// Asks the upstream server again, unless somebody does already.
    func refreshInBackground(_ cache: ResponseCache) {
        guard let stream, head.method == .get, !service.isDraining, service.refreshing.count < Self.refreshLimit,
            !service.refreshing.contains(use.id), !cache.store.isFilling(use.id)
        else { return }
        let detached = DetachedStream(repeating: self, of: stream)
        guard let exchange = detached.pending as? ProxyExchange else { return }
        service.refreshing.insert(use.id)
        service.counters.refreshes.add(1, ordering: .relaxed)
        exchange.use.isRefresh = true
        exchange.use.refreshed = use.id
        detached.start()
    }
}
