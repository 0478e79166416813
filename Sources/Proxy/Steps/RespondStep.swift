// SPDX-License-Identifier: Apache-2.0
// Eighth step: the responder answers. Which one it is, the route and the cache have said.

import CachePolicy
import CacheStore

/// Who makes the response.
enum Responder {
    /// An upstream server of the route's pool.
    case upstream
    /// The cache, with a stored response.
    case stored(StoredResponse)
    /// The cache, with the response that another request is fetching.
    indirect case shared(ObjectDescription, StoredRecord)
    /// The route itself, with a redirect or a response that the settings spell out.
    case route
}

/// Has the responder answer. `next` means that another responder is to, and that the step is taken again.
enum RespondStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        switch exchange.responder {
        case .upstream: return exchange.forward()
        case .stored(let stored):
            guard let record = StoredRecord(stored.head.record),
                exchange.serve(stored, record, age: record.policy.age(at: exchange.wallMilliseconds), tellsAge: true)
            else { return exchange.dropUnreadable() }
            return .answered
        case .shared(let description, let record):
            return exchange.serve(description, record, tellsAge: true) ? exchange.pumpFill() : exchange.goAlone()
        case .route: return answerByRoute(exchange)
        }
    }

    private static func answerByRoute(_ exchange: ProxyExchange) -> StepOutcome {
        switch exchange.route?.action {
        case .redirect(let status, let location):
            exchange.reason = "redirect"
            return exchange.deliverRedirect(status, location) ? .answered : exchange.refuseTooLong()
        case .answer(let status, let type, let content):
            exchange.reason = "answer"
            exchange.deliverAnswer(status, type, content)
            return .answered
        case .pool, nil: return .answered
        }
    }
}
