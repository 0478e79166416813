// SPDX-License-Identifier: Apache-2.0
// What becomes of a response that came from the server: passed on, stored, or read past.

import HTTP

extension TransferRunner {
    /// Passes the body on, and into the cache.
    func deliver(_ state: inout State) throws(ClientFailure) {
        guard let exchange = state.exchange else { return }
        let head = exchange.headBytes
        try state.listener.responseHead(head.span, status: exchange.head.status, isFinal: true)
        let length = exchange.bodyLength
        if let limit = state.settings.maxBodyBytes, let length, length > limit {
            throw ClientFailure(63, "the body has \(length) bytes, --max-filesize allows \(limit)")
        }
        let decoder = try ContentDecoder(
            coding: state.settings.acceptsCompressed
                ? HeadText.values(of: "content-encoding", in: exchange.headBytes).first : nil,
            limit: state.settings.maxBodyBytes, listener: state.listener)
        let hasBody = exchange.head.framing.hasBody
        try state.listener.beginBody(length: length)
        let writer = storing(&state, exchange)
        try exchange.receiveBody(report: &state.report) { bytes throws(ClientFailure) in
            writer?.append(bytes)
            try decoder.take(bytes)
            state.hasDelivered = state.hasDelivered || decoder.delivered > 0
            return true
        }
        if hasBody { try decoder.finish() }
        finishStoring(&state, writer)
        release(&state)
    }

    /// Lets go of a response whose body nobody wants; a small one is read, for the cache and so that the connection can be
    /// used again.
    func discard(_ state: inout State) {
        guard let exchange = state.exchange else { return }
        let head = exchange.headBytes
        try? state.listener.responseHead(head.span, status: exchange.head.status, isFinal: false)
        let writer = storing(&state, exchange)
        do throws(ClientFailure) {
            try exchange.drain(report: &state.report) { writer?.append($0) }
            if exchange.isComplete { finishStoring(&state, writer) }
        } catch {
            state.exchange = nil
        }
        release(&state)
    }
}
