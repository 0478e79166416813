// SPDX-License-Identifier: Apache-2.0
// Whether a client asks too much (RFC 6585 section 4).

import Engine
import Serving
import Settings
import Synchronization

extension ProxyExchange {
    /// Answers with 429 when the client has too many connections or sends too many requests; false when it does not.
    func isOverLimit() -> Bool {
        // Bringing a stored response up to date is the gateway's own doing, and its client has had its answer.
        guard let stream, !use.isRefresh else { return false }
        if stream.isCrowded {
            reason = "client-connections"
            service.counters.limited.add(1, ordering: .relaxed)
            stream.closeAfterResponse()
            deliverError(429, "This client has as many connections as it may have.", retryAfter: true)
            return true
        }
        guard let rates = service.rates, let client = clientAddress else { return false }
        let wait = rates.take(client, at: service.loop.nanoseconds)
        guard wait > 0 else { return false }
        service.counters.limited.add(1, ordering: .relaxed)
        reason = "rate-limit"
        let seconds = (wait - 1) / 1_000_000_000 + 1
        deliverError(429, "This client sends more requests than it may.", retryAfter: true, seconds: seconds)
        return true
    }
}

extension TokenBucket {
    /// The bucket that each client has; nil for no limit.
    init?(_ settings: Configuration.ClientLimits) {
        guard settings.rate > 0 else { return nil }
        let usual = max(1, settings.rate / 60)
        self.init(perMinute: settings.rate, burst: settings.burst > 0 ? settings.burst : usual)
    }
}
