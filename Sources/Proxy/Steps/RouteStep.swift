// SPDX-License-Identifier: Apache-2.0
// Fourth step: the route, and with it the responder.

import Bytes
import HTTP
import Serving

/// Finds the route that the request takes.
enum RouteStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        let routes = exchange.view.snapshot.routes
        switch routes.match(exchange.head, exchange.headBytes, scratch: exchange.service.pathScratch) {
        case .badPath: return exchange.refuseBadPath()
        case .ambiguousPath:
            exchange.stream?.rejectRequest()
            return exchange.refuse(
                400, "ambiguous-path",
                "Servers could read this path in two ways: it hides dots, or a host (RFC 3986 sections 3.3, 4.2).")
        case .none: return exchange.refuse(404, "no-route", "No route of this gateway matches the request.")
        case .route(let found):
            exchange.route = found
            if case .pool(let index) = found.action {
                exchange.poolIndex = index
            } else {
                exchange.responder = .route
            }
            return .next
        }
    }
}

extension ProxyExchange {
    /// Bytes of a target that this gateway makes at most: what fits a block beside the rest of its line.
    static let madeTargetLimit = 60 << 10

    func refuseTooLong() -> StepOutcome {
        refuse(414, "target-too-long", "The target is too long once it is rewritten (RFC 9110 section 15.5.15).")
    }

    func refuseBadPath() -> StepOutcome {
        stream?.rejectRequest()
        return refuse(
            400, "bad-path",
            "The path climbs above its root, or its percent-encoding is broken (RFC 3986 section 5.2.4).")
    }
}
