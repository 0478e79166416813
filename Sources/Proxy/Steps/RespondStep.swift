// SPDX-License-Identifier: Apache-2.0
// Eighth step: the responder answers. Which one it is, the route and the cache have said.

import CacheStore

/// Who makes the response.
enum Responder {
    /// An upstream server of the route's pool.
    case upstream
    /// The cache, with a stored response of that age in seconds.
    case stored(StoredResponse, StoredRecord, age: UInt32)
    /// The cache, with the response that another request is fetching.
    case shared(ObjectDescription, StoredRecord)
    /// A redirect, with its status and the template of `Location`.
    case redirect(UInt16, [UInt8])
    /// A response that the settings spell out: status, content type, content.
    case fixed(UInt16, [UInt8], [UInt8])
}

/// Has the responder answer. `next` means that another responder is to, and that the step is taken again.
enum RespondStep {
    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        switch exchange.responder {
        case .upstream: return exchange.forward()
        case .stored(let stored, let record, let age):
            return exchange.serve(stored, record, age: age, tellsAge: true) ? .answered : exchange.dropUnreadable()
        case .shared(let description, let record):
            return exchange.serve(description, record, tellsAge: true) ? exchange.pumpFill() : exchange.goAlone()
        case .redirect(let status, let location):
            exchange.reason = "redirect"
            return exchange.deliverRedirect(status, location) ? .answered : exchange.refuseTooLong()
        case .fixed(let status, let type, let content):
            exchange.reason = "answer"
            exchange.deliverAnswer(status, type, content)
            return .answered
        }
    }
}
