// SPDX-License-Identifier: Apache-2.0
// How exchanges and the connection end, and what follows: the next request, a drained rest, a lingering close.

import Bytes
import Engine
import HTTP

extension HTTP1Connection {
    /// The client closed or reset the connection, or cannot be answered any more.
    func clientGone() {
        if phase == .exchange { end(.clientGone) } else { close() }
    }

    /// Ends the exchange in flight with the response incomplete, and the connection with it.
    func end(_ ending: Ending) {
        if coding == .close || coding == .tunnel || ending == .clientGone {
            // Without a length only a reset tells the client that this is not the whole (RFC 9112 section 8).
            transport.abortOnClose()
        } else {
            _ = outbox.flush(to: transport)
            // The body is incomplete, and a farewell would say that it is not.
            transport.layer?.abandon()
        }
        release(ending)
        close()
    }

    /// Tells the exchange its ending and parts with it.
    func release(_ ending: Ending) {
        guard let ended = exchange else { return }
        exchange = nil
        ended.ended(ending)
        ended.retire(to: service)
    }

    /// The response is complete and handed to the kernel.
    func responseComplete() {
        release(.complete)
        responseDone = false
        wantsBody = false
        awaitsBody = false
        let facts = AfterResponse.Facts(
            keepAlive: keepAlive, requestDone: bodyDone,
            hasUnread: isReadable || overflow != nil || (input?.count ?? 0) > inputUsed, peerClosed: peerClosed)
        switch AfterResponse.decide(facts) {
        case .next: nextRequest()
        case .drain:
            phase = .draining
            bodyReceived = 0
            loop.setDeadline(self, in: ServingOptions.lingerTimeout)
            discardBufferedBody()
            if !isReceiving { receive() }
        case .linger: linger()
        case .close: close()
        }
    }

    /// The connection is at the start of a request again. What has come of it is looked at when the calls that ended the last one
    /// have returned: by `proceed`, where that is further up the stack, or else at the end of the batch.
    func nextRequest() {
        phase = .idle
        place.door.idles(Int(slot))
        parser.reset()
        status = 0
        loop.setDeadline(self, in: service.isDraining ? ServingOptions.lingerTimeout : options.idleTimeout)
        if isProceeding { return }
        if let block = input, overflow == nil, inputUsed == block.count {
            input = nil
            inputUsed = 0
            loop.retire(block)
        }
        if input != nil || isReadable { loop.schedule(self) }
    }

    /// Drops the bytes of the request that was served last.
    func dropServed() {
        guard let block = input, inputUsed > 0 else { return }
        block.consume(inputUsed)
        inputUsed = 0
        guard block.isEmpty else { return }
        loop.giveBack(block)
        input = overflow
        overflow = nil
    }

    /// Ends the sending side and drops what still comes, for a moment.
    func linger() {
        phase = .lingering
        transport.finishSending()
        lingerEnd = loop.milliseconds + UInt64(ServingOptions.lingerLimit)
        loop.setDeadline(self, in: ServingOptions.lingerTimeout)
        if !isReceiving { receive() }
    }

    /// The process stops and waits no longer: the exchange in flight is ended, and recorded.
    func cut() {
        if phase == .exchange { end(.aborted) } else { close() }
    }

    func close() {
        guard phase != .closed else { return }
        phase = .closed
        place.door.busy(Int(slot))
        transport.layer?.close()
        loop.unregister(self, closing: descriptor.take())
        if let exchange {
            // A head that never became complete: nobody was told of it.
            self.exchange = nil
            exchange.retire(to: service)
        }
        // An exchange that has just ended, or who called it, may still look at its head.
        if let input { loop.retire(input) }
        if let overflow { loop.retire(overflow) }
        input = nil
        overflow = nil
        outbox.releaseAll()
        place.give()
    }
}
