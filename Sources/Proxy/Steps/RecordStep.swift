// SPDX-License-Identifier: Apache-2.0
// Last step: the exchange has ended, whatever became of it. It is counted, and gets its line in the log.

import Synchronization

/// Counts and logs the exchange.
enum RecordStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        // A refresh is no client's request.
        guard !exchange.use.isRefresh else { return .answered }
        exchange.service.counters.requests.add(1, ordering: .relaxed)
        exchange.log()
        return .answered
    }
}
