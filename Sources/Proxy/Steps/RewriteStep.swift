// SPDX-License-Identifier: Apache-2.0
// Sixth step: a route that replaces its prefix makes a new target. The target is written with the request
// (`ProxyExchange.writeRewritten`); here a request whose new target may not fit is refused.

import HTTP
import Serving

/// Checks that the target can be rewritten as the route wants.
enum RewriteStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        guard case .upstream = exchange.responder, let prefix = exchange.route?.rewritePrefix else { return .next }
        // Every byte of the path may have to be encoded.
        let longest =
            prefix.count + 3 * exchange.head.pathRange.count + (exchange.head.queryRange?.count ?? 0) + 2
        return longest > ProxyExchange.madeTargetLimit ? exchange.refuseTooLong() : .next
    }
}
