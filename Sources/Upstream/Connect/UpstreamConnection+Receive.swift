// SPDX-License-Identifier: Apache-2.0
// The response's way in: interim heads, the final one, the body in pieces, its end. What was received goes on to the attempt
// straight from the block that it was received into.

import Bytes
import Engine
import Glibc
import HTTP

extension UpstreamConnection {
    /// Receives no more until `resumeReading`: the client is slower than the server.
    public func pauseReading() {
        guard !isPaused else { return }
        isPaused = true
        awaitResponse()
    }

    /// Receives again.
    public func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        awaitResponse()
        receive()
    }

    var wantsMore: Bool { isReadable && !isPaused && phase == .active && reading != .done }

    func receive() {
        guard !isReceiving else { return }
        isReceiving = true
        defer { isReceiving = false }
        if heldHead == .due, let block = headBlock {
            read(block)
            releaseBlock(block)
        }
        var inARow = 0
        repeat {
            while wantsMore {
                guard inARow < Self.receivesInARow else {
                    loop.schedule(self)
                    attempt?.batchEnded()
                    return
                }
                inARow += 1
                receiveOnce()
            }
            // Sending what is staged may let the client take more, and so ask for reading to be resumed.
            attempt?.batchEnded()
        } while wantsMore
        if phase == .closed, let headBlock {
            self.headBlock = nil
            loop.largeBlocks.give(headBlock)
        }
        if phase == .served { becomeIdle() }
    }

    func receiveOnce() {
        let block = headBlock ?? loop.largeBlocks.take()
        headBlock = block
        if block.free == 0 { block.compact() }
        guard block.free > 0 else {
            fail(.headTooLarge)
            releaseBlock(block)
            return
        }
        switch transport.receive(into: block, limit: loop.pieceLimit) {
        case .bytes(_, let mayHaveMore):
            isReadable = mayHaveMore || peerClosed
            hasReceived = true
            if reading == .body { awaitResponse() }
            read(block)
        case .wouldBlock:
            isReadable = false
        case .closed:
            isReadable = false
            closedByServer(0)
        case .cut:
            isReadable = false
            // No farewell: where only the end of the connection ends the body, that may be anybody's doing (RFC 9112
            // section 9.8).
            fail(.broken(sendFailure ?? 0))
        case .failed(let code):
            closedByServer(code)
        }
        releaseBlock(block)
    }

    /// A head that is still incomplete keeps its block, everything else has been passed on.
    private func releaseBlock(_ block: Block) {
        guard headBlock === block, block.isEmpty || phase != .active else { return }
        headBlock = nil
        loop.largeBlocks.give(block)
    }

    /// Takes what was received apart.
    func read(_ block: Block) {
        while reading == .head, phase == .active {
            let isComplete: Bool
            do throws(ParseFailure) {
                isComplete = try parser.parse(
                    block.readable, limits: pool.options.head, requestMethod: method, into: &head)
            } catch {
                fail(.malformed(error))
                return
            }
            guard isComplete else {
                if !block.isEmpty { patience.headGrew(at: loop.milliseconds) }
                awaitResponse()
                return
            }
            if holdsHead(block) { return }
            headReceived(block)
        }
        guard reading == .body, phase == .active else {
            block.clear()
            return
        }
        var offset = 0
        while reading == .body, phase == .active {
            let step: BodyDecoder.Step
            do throws(ParseFailure) {
                step = try body.next(block.readable, from: &offset)
            } catch {
                fail(.malformed(error))
                return
            }
            switch step {
            case .data(let range):
                attempt?.responseBody(block.readable.extracting(range))
                if phase == .active, body.isEnded { complete(hasRest: offset < block.count) }
            case .needMore:
                block.clear()
                return
            case .end:
                complete(hasRest: offset < block.count)
            }
        }
        block.clear()
    }

    /// Whether the head is to wait for the first bytes of its content. It is read once more then.
    private func holdsHead(_ block: Block) -> Bool {
        guard heldHead == .none else {
            heldHead = .none
            return false
        }
        guard head.status >= 200, block.count == head.length, block.free > 0, case .length(1...) = head.framing,
            attempt?.wantsContentWithHead(self) == true
        else { return false }
        parser.reset()
        heldHead = .waiting
        loop.setDeadline(self, in: Self.contentPatience)
        return true
    }

    func headReceived(_ block: Block) {
        if head.status < 200, head.status != 101 {
            interims += 1
            guard interims <= Self.interimLimit else {
                fail(.tooManyInterim)
                return
            }
            attempt?.interimResponse(self)
            patience.interimEnded()
            block.consume(head.length)
            parser.reset()
            return
        }
        if head.status == 101 {
            guard asksUpgrade, head.hasUpgrade else {
                fail(.unexpectedSwitch)
                return
            }
            guard becomeTunnel() else {
                fail(.tunnelsFull)
                return
            }
            isChunked = false
            requestDone = false
            body = BodyDecoder(.untilClose)
        } else {
            body = BodyDecoder(head.framing)
        }
        reading = .body
        attempt?.responseHead(self)
        guard phase == .active else { return }
        block.consume(head.length)
        awaitResponse()
        if body.isEnded { complete(hasRest: !block.isEmpty) }
    }

    /// The response is complete. `hasRest`: more came than belongs to it.
    func complete(hasRest: Bool) {
        guard phase == .active, let ended = attempt else { return }
        let trailers = body.trailers
        let isReusable =
            head.isPersistent && !isTunnel && !isLast && requestDone && outbox.isEmpty && sendFailure == nil && !hasRest
            && !peerClosed && (!isReadable || transport.isQuiet())
        reading = .done
        attempt = nil
        if isReusable {
            isReadable = false
            phase = .served
        } else {
            shut()
        }
        ended.responseEnded(trailers: trailers)
    }

    func becomeIdle() {
        phase = .idle
        idleSince = loop.milliseconds
        idleTimeout = min(pool.options.idleTimeout, server.idleAllowance(at: idleSince))
        if let seconds = head.keepAliveTimeout {
            // One second early, so that the server does not close it just as we send.
            idleTimeout = min(idleTimeout, max(0, Int(seconds) - 1) * 1000)
        }
        if pool.isForRequests { server.enterIdle() }
        giveShare()
        guard idleTimeout > 0, pool.takeBack(self) else {
            shut()
            return
        }
        loop.setDeadline(self, in: idleTimeout)
    }

    func closedByServer(_ code: Int32) {
        // A reset that sending was told of is not told again: what receiving is told then looks like an end in order. After such an
        // end sending is told something else, EPIPE.
        if code == 0, sendFailure != ECONNRESET, reading == .body, body.peerClosed() {
            complete(hasRest: false)
        } else {
            fail(.broken(code != 0 ? code : sendFailure ?? 0))
        }
    }

    func finishTunnel() { complete(hasRest: true) }
}
