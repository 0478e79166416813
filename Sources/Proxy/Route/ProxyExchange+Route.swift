// SPDX-License-Identifier: Apache-2.0
// Second step: which route, and so what becomes of the request.

import Bytes
import HTTP
import Serving

extension ProxyExchange {
    func chooseRoute() {
        switch view.snapshot.routes.match(head, headBytes, scratch: service.pathScratch) {
        case .badPath:
            reason = "bad-path"
            stream?.closeAfterResponse()
            deliverError(
                400, "The path climbs above its root, or its percent-encoding is broken (RFC 3986 section 5.2.4).")
        case .none:
            reason = "no-route"
            deliverError(404, "No route of this gateway matches the request.")
        case .route(let found):
            route = found
            switch found.action {
            case .pool(let index):
                poolIndex = index
                forward()
            case .redirect(let status, let location):
                reason = "redirect"
                deliverRedirect(status, location)
            case .answer(let status, let type, let body):
                reason = "answer"
                deliverAnswer(status, type, body)
            }
        }
    }
}
