// SPDX-License-Identifier: Apache-2.0
// Second step: a client with too many connections, or too many requests, gets 429 (RFC 6585 §4).

import Engine
import Serving
package import Settings
import Synchronization

/// Refuses a client that sends more than it may.
enum LimitStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        // A refresh is the gateway's own doing, and its client has had its response.
        guard let stream = exchange.stream, !exchange.use.isRefresh else { return .next }
        let service = exchange.service
        if stream.client.isCrowded {
            service.counters.limited.add(1, ordering: .relaxed)
            return exchange.refuse(
                429, "client-connections", "This client has as many connections as it may have.", retryAfter: 1)
        }
        guard let rates = service.rates, let client = exchange.clientAddress else { return .next }
        let wait = rates.take(client, at: service.loop.nanoseconds)
        guard wait > 0 else { return .next }
        service.counters.limited.add(1, ordering: .relaxed)
        return exchange.refuse(
            429, "rate-limit", "This client sends more requests than it may.",
            retryAfter: (wait - 1) / 1_000_000_000 + 1)
    }
}

extension TokenBucket {
    /// The bucket that each client has; nil for no limit.
    package init?(_ settings: Configuration.ClientLimits) {
        guard settings.rate > 0 else { return nil }
        let usual = max(1, settings.rate / 60)
        self.init(perMinute: settings.rate, burst: settings.burst > 0 ? settings.burst : usual)
    }
}
