// SPDX-License-Identifier: Apache-2.0
// Second step: which route, and so what becomes of the request.

import Bytes
import HTTP
import Serving

extension ProxyExchange {
    /// Bytes of a target that this gateway makes at most: what fits a block beside the rest of its line.
    static let madeTargetLimit = 60 << 10

    /// Bytes that the target can have once its prefix is rewritten and every byte of its path has to be encoded.
    private func rewrittenLimit(_ rewrite: [UInt8]) -> Int {
        rewrite.count + 3 * head.pathRange.count + (head.queryRange?.count ?? 0) + 2
    }

    func refuseTooLong() {
        reason = "target-too-long"
        deliverError(414, "The target is too long once it is rewritten (RFC 9110 section 15.5.15).")
    }

    func refuseBadPath() {
        reason = "bad-path"
        stream?.closeAfterResponse()
        deliverError(400, "The path climbs above its root, or its percent-encoding is broken (RFC 3986 section 5.2.4).")
    }

    func chooseRoute() {
        switch view.snapshot.routes.match(head, headBytes, scratch: service.pathScratch) {
        case .badPath: refuseBadPath()
        case .ambiguousPath:
            reason = "ambiguous-path"
            stream?.closeAfterResponse()
            deliverError(
                400, "Servers could read this path in two ways: it hides dots, or a host (RFC 3986 sections 3.3, 4.2).")
        case .none:
            reason = "no-route"
            deliverError(404, "No route of this gateway matches the request.")
        case .route(let found):
            route = found
            switch found.action {
            case .pool(let index):
                if let rewrite = found.rewritePrefix, rewrittenLimit(rewrite) > Self.madeTargetLimit {
                    refuseTooLong()
                    return
                }
                poolIndex = index
                consultCache()
            case .redirect(let status, let location):
                reason = "redirect"
                if !deliverRedirect(status, location) { refuseTooLong() }
            case .answer(let status, let type, let body):
                reason = "answer"
                deliverAnswer(status, type, body)
            }
        }
    }
}
