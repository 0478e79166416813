// SPDX-License-Identifier: Apache-2.0
// What comes in. Heads are received into a block of the connection and stay there until their exchange has ended; bodies
// pass through a block of the loop, straight on to the exchange.

import Bytes
import Engine
import HTTP

extension HTTP1Connection {
    /// Receives for as long as somebody wants it and the kernel has it, but leaves others their turn.
    func receive() {
        guard !isReceiving else { return }
        isReceiving = true
        defer { isReceiving = false }
        var inARow = 0
        let started = loop.nanoseconds
        while isReadable {
            guard inARow < ServingOptions.receivesInARow else {
                loop.schedule(self)
                return
            }
            inARow += 1
            switch phase {
            case .idle, .head:
                // The next request has its turn when the calls that ended the last one have returned, which is scheduled.
                if phase == .idle, isScheduled || input?.isEmpty == false { return }
                receiveHead()
            case .exchange:
                guard wantsBody || awaitsBody, !bodyDone else { return }
                if awaitsBody { receiveAhead() } else { receiveBody() }
            case .draining, .lingering: receiveAndDrop()
            case .closed: return
            }
            if inARow > 1, loop.presentNanoseconds &- started > ServingOptions.turn { inARow = .max }
        }
        if phase == .head { keepHeadSmall() }
    }

    private func receiveHead() {
        if let block = input, !isPooled(block) {
            replaceInput(by: (block.count < loop.smallBlocks.blockSize ? loop.smallBlocks : loop.largeBlocks).take())
        }
        let block = input ?? loop.smallBlocks.take()
        input = block
        if block.free == 0, !makeRoom() { return }
        guard let block = input else { return }
        switch transport.receive(into: block) {
        case .bytes(_, let mayHaveMore):
            isReadable = mayHaveMore || peerClosed
            proceed()
        case .wouldBlock:
            isReadable = false
            if block.isEmpty, exchange == nil {
                loop.giveBack(block)
                input = nil
            }
        case .closed, .cut, .failed:
            close()
        }
    }

    /// A head that outgrows its block moves to a larger one, or to the front of it.
    func makeRoom() -> Bool {
        guard let block = input else { return false }
        if block.start > 0 {
            block.compact()
            return true
        }
        guard block.capacity < loop.largeBlocks.blockSize else {
            // The parser's own limit lies below this.
            close()
            return false
        }
        replaceInput(by: loop.largeBlocks.take())
        return true
    }

    /// Moves what has been received to `block`.
    func replaceInput(by block: Block) {
        guard let old = input else { return }
        block.append(old.readable)
        loop.giveBack(old)
        input = block
        exchange?.headBlock = block
    }

    func isPooled(_ block: Block) -> Bool {
        block.capacity == loop.smallBlocks.blockSize || block.capacity == loop.largeBlocks.blockSize
    }

    /// Whether the head of the request holds a block although it is much smaller.
    var hasLargeHead: Bool {
        guard let input else { return false }
        return isPooled(input) && input.count < input.capacity / 2
    }

    /// A head that waits, for its rest or for a client that does not take its response, holds as much memory as it has bytes,
    /// and no block. Called when nothing that reads the head is on the stack.
    func keepHeadSmall() {
        guard phase == .head || phase == .exchange, hasLargeHead, let input, !input.isEmpty else { return }
        replaceInput(by: Block(capacity: (input.count + Self.headStep - 1) / Self.headStep * Self.headStep))
    }

    /// Heads that wait are kept in multiples of so many bytes.
    private static let headStep = 128

    /// Serves the requests that have been received, in order, until one is in flight or incomplete.
    func proceed() {
        guard !isProceeding else { return }
        isProceeding = true
        defer { isProceeding = false }
        var inARow = 0
        while phase == .idle || phase == .head {
            if phase == .idle { dropServed() }
            guard let block = input, !block.isEmpty else { break }
            if inARow == ServingOptions.pipelinedInARow {
                loop.schedule(self)
                return
            }
            inARow += 1
            let exchange = self.exchange ?? beginExchange(block)
            let isComplete: Bool
            do throws(ParseFailure) {
                isComplete = try parser.parse(block.readable, limits: options.head, into: &exchange.head)
            } catch {
                requests += 1
                refuse(.malformed(error))
                return
            }
            guard isComplete else {
                if phase == .idle {
                    phase = .head
                    loop.setDeadline(self, in: options.headerTimeout)
                }
                return
            }
            serve(exchange)
        }
        if phase == .idle, let block = input, block.isEmpty {
            loop.giveBack(block)
            input = nil
        }
    }

    private func beginExchange(_ block: Block) -> Exchange {
        place.door.busy(Int(slot))
        let new = service.makeExchange()
        options = service.options
        new.head.reset()
        new.stream = self
        new.headBlock = block
        new.startedNanoseconds = loop.nanoseconds
        exchange = new
        bodyBytes = 0
        return new
    }

    private func serve(_ exchange: Exchange) {
        phase = .exchange
        requests += 1
        status = 0
        bodyBytes = 0
        coding = .none
        responseDone = false
        hasSentContinue = false
        readsWhileResponding = false
        // HTTP/1.0 knows neither chunked nor interim responses (RFC 9112 §6.1, RFC 9110 §15.2).
        abilities = exchange.head.version == .http11 ? [.interim, .trailers] : []
        keepAlive = exchange.head.isPersistent && requests < options.requestsPerConnection
        inputUsed = exchange.head.length
        bodyLeftInput = false
        bodyReceived = 0
        wantsBody = false
        awaitsBody = false
        body = BodyDecoder(exchange.head.framing)
        bodyDone = exchange.head.framing == .none
        loop.clearDeadline(self)
        if let limit = options.bodyBytes, case .length(let length) = exchange.head.framing, length > limit {
            refuse(.bodyTooLarge)
            return
        }
        exchange.requestReceived()
    }

    /// Answers a request that cannot be served, and closes.
    func refuse(_ refusal: Refusal) {
        guard let exchange else {
            close()
            return
        }
        phase = .exchange
        keepAlive = false
        wantsBody = false
        awaitsBody = false
        guard !hasBegun else {
            end(refusal == .bodyTimeout || refusal == .bodyTooLarge ? .aborted : .badBody)
            return
        }
        loop.clearDeadline(self)
        // Whatever follows is not certain to be a request: it is dropped (RFC 9112 section 2.2).
        inputUsed = 0
        bodyDone = false
        exchange.requestRefused(refusal)
    }

    // MARK: Bodies

    /// Hands over what came together with the head.
    func deliverBufferedBody() {
        guard let block = input else { return }
        let current = requests
        while wantsBody, !bodyDone, phase == .exchange, requests == current, inputUsed < block.count {
            let step: BodyDecoder.Step
            do throws(ParseFailure) {
                step = try body.next(block.readable, from: &inputUsed)
            } catch {
                refuse(.malformed(error))
                return
            }
            handOver(step, from: block)
        }
        batchEnded(current)
    }

    /// Receives a piece of the body and hands it over: into a block of the loop, or behind the head where the rest fits there,
    /// so that a small body can be sent again.
    private func receiveBody() {
        let current = requests
        let staysInInput = !bodyLeftInput && (body.remainingLength ?? .max) <= UInt64(input?.free ?? 0)
        let block: Block
        if staysInInput, let input { block = input } else { block = loop.largeBlocks.take() }
        defer { if !staysInInput { loop.largeBlocks.give(block) } }
        let limit = min(receiveLimit(block.free), loop.pieceLimit)
        switch transport.receive(into: block, limit: limit) {
        case .bytes(_, let mayHaveMore):
            isReadable = mayHaveMore || peerClosed
            armBodyDeadline()
            if staysInInput {
                deliverBufferedBody()
            } else {
                bodyLeftInput = true
                deliver(block)
            }
            if requests == current, isBodyTooSlow { refuse(.bodyTimeout) }
        case .wouldBlock:
            isReadable = false
        case .closed:
            isReadable = false
            peerClosed = true
            if body.peerClosed() {
                endBody()
            } else {
                // The request is incomplete and can never be completed (RFC 9112 section 8).
                end(.clientGone)
            }
        case .cut, .failed:
            end(.clientGone)
        }
    }

    private func deliver(_ block: Block) {
        let current = requests
        var offset = 0
        while !bodyDone, phase == .exchange, requests == current, offset < block.count {
            let step: BodyDecoder.Step
            do throws(ParseFailure) {
                step = try body.next(block.readable, from: &offset)
            } catch {
                refuse(.malformed(error))
                return
            }
            // Before the exchange hears of the end, and perhaps the next request is served.
            if step == .end, offset < block.count { keep(block, from: offset) }
            handOver(step, from: block)
        }
        batchEnded(current)
    }

    /// What was received has been handed to the request with this number, if it is still the one in flight. Numbers, because
    /// the object of an exchange may carry the next request already.
    private func batchEnded(_ current: Int) {
        guard phase == .exchange, requests == current else { return }
        if wantsBody, !bodyDone, body.isEnded { endBody() }
        guard phase == .exchange, requests == current else { return }
        exchange?.requestBatchEnded()
    }

    /// The client owes a piece of the body. Not in a tunnel, where silence is nobody's fault: the upstream side has the
    /// deadline for both.
    func armBodyDeadline() {
        guard !outbox.isBlocked else { return }
        if coding == .tunnel { loop.clearDeadline(self) } else { loop.setDeadline(self, in: options.bodyTimeout) }
    }

    /// How much of the body to receive at once: nothing behind it is taken along where its length is known.
    private func receiveLimit(_ room: Int) -> Int {
        guard let rest = body.remainingLength, rest > 0, rest < UInt64(room) else { return room }
        return Int(rest)
    }

    private func handOver(_ step: BodyDecoder.Step, from block: Block) {
        switch step {
        case .data(let range):
            bodyReceived &+= UInt64(range.count)
            if let limit = options.bodyBytes, bodyReceived > limit, coding != .tunnel {
                refuse(.bodyTooLarge)
                return
            }
            exchange?.requestBody(block.readable.extracting(range))
        case .needMore:
            break
        case .end:
            endBody()
        }
    }

    private func endBody() {
        guard !bodyDone else { return }
        bodyDone = true
        wantsBody = false
        if phase == .exchange, !outbox.isBlocked {
            if peerClosed, coding != .tunnel {
                loop.setDeadline(self, in: options.halfCloseTimeout)
            } else {
                loop.clearDeadline(self)
            }
        }
        exchange?.requestEnded(trailers: body.trailers)
    }

    /// What came behind the end of a body belongs to the next request.
    private func keep(_ block: Block, from offset: Int) {
        let rest = block.readable.extracting(offset..<block.count)
        if phase == .exchange || phase == .draining, let input, input.free >= rest.count {
            input.append(rest)
            return
        }
        let kept = input == nil ? loop.largeBlocks.take() : overflow ?? loop.largeBlocks.take()
        kept.append(rest)
        if input == nil { input = kept } else { overflow = kept }
    }

    var isBodyTooSlow: Bool {
        guard options.bodyRate > 0, phase == .exchange, !bodyDone, coding != .tunnel, loop.milliseconds > bodyStarted
        else { return false }
        let elapsed = loop.milliseconds &- bodyStarted
        guard elapsed > UInt64(ServingOptions.bodyRateGrace) else { return false }
        return (awaitsBody ? UInt64(bodyAhead) : bodyReceived) &* 1000 / elapsed < UInt64(options.bodyRate)
    }

    /// Drops the part of an unwanted body that came together with its head.
    func discardBufferedBody() {
        guard let block = input else { return }
        while !bodyDone, inputUsed < block.count {
            guard let step = try? body.next(block.readable, from: &inputUsed) else {
                linger()
                return
            }
            if step == .end { bodyDone = true }
        }
        if bodyDone || body.isEnded {
            bodyDone = true
            nextRequest()
        }
    }

    private func receiveAndDrop() {
        let block = loop.largeBlocks.take()
        defer { loop.largeBlocks.give(block) }
        let limit = phase == .draining ? receiveLimit(block.capacity) : block.capacity
        switch transport.receive(into: block, limit: limit) {
        case .bytes(let count, let mayHaveMore):
            isReadable = mayHaveMore || peerClosed
            guard phase == .draining else {
                loop.setDeadline(self, at: min(lingerEnd, loop.milliseconds + UInt64(ServingOptions.lingerTimeout)))
                return
            }
            bodyReceived &+= UInt64(count)
            var offset = 0
            while !bodyDone, offset < count {
                guard let step = try? body.next(block.readable, from: &offset) else {
                    linger()
                    return
                }
                if step == .end { bodyDone = true }
            }
            if body.isEnded { bodyDone = true }
            if bodyDone {
                if offset < count { keep(block, from: offset) }
                nextRequest()
            } else if bodyReceived > ServingOptions.drainBytes {
                linger()
            }
        case .wouldBlock:
            isReadable = false
        case .closed, .cut, .failed:
            close()
        }
    }
}
