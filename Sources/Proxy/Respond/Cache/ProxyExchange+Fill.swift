// SPDX-License-Identifier: Apache-2.0
// Downloads that several exchanges share: who leads, who waits, and what becomes of those who wait.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving

extension ProxyExchange {
    /// Pieces of a body sent in a row at most, before others have their turn.
    static let piecesInARow = 16

    /// Others fetch the same thing, or the disk is asked, and it takes too long.
    func waitedTooLong() {
        use.isReading = false
        guard let stream, stream.hasBegun else {
            resume(goAlone())
            return
        }
        reason = "cache-timeout"
        use.serving = nil
        stream.abort()
    }

    /// Takes what there is of the fill that the response is read from.
    func pumpFill() -> StepOutcome {
        guard let fill = use.reading, let reader = use.reader, let cache = service.cache, !use.isReading else {
            return .wait
        }
        // The leader's own fill tells it.
        let registers = reader.download == nil
        var turns = 0
        // The exchange may have ended in between.
        while use.reading === fill, use.reader === reader, !use.isReading, let stream {
            if stream.isBlocked || waitsForTurn { return .wait }
            turns += 1
            if turns > Self.piecesInARow {
                yieldTurn()
                return .wait
            }
            switch fill.next(reader, registers: registers) {
            case .wait:
                if stream.hasBegun {
                    stream.flush()
                } else if cache.wait == 0 {
                    return goAlone()
                }
                return .wait
            case .head(let description): return LookUpStep.fillBegan(self, description, cache)
            case .bytes(let piece):
                fill.took(sendStored(piece.bytes, to: stream), reader)
            case .stored(let chunk, let wanted):
                let block = service.loop.largeBlocks.take()
                switch chunk.readNow(into: block) {
                case .ready:
                    fill.took(sendStored(block.readable.extracting(wanted), to: stream), reader)
                    service.loop.giveBack(block)
                case .wouldBlock:
                    use.isReading = true
                    use.wait = WaitTimer(self, in: LookUpStep.diskTimeout)
                    (use.position, use.end) = (wanted.lowerBound, wanted.upperBound)
                    if !fill.readSoon(chunk, into: block, for: reader) { diskIsBusy(block) }
                    return .wait
                case .damaged:
                    service.loop.giveBack(block)
                    stream.abort()
                }
            case .end:
                guard endSendingStored(to: stream) else { return .wait }
                stopWaiting()
                upstreamFinished = max(upstreamFinished, upstreamStarted)
                stream.finish(trailers: nil)
            case .behind: fellBehind(stream)
            case .failed:
                let hasBegun = stream.hasBegun
                stopWaiting()
                if hasBegun { stream.abort() } else { fillFailed() }
            case .handOver: return LookUpStep.restart(self, cache)
            case .refreshed:
                // If it has to be validated again already, by itself: nobody waits twice.
                use.mayWait = false
                return LookUpStep.restart(self, cache)
            case .released: return goAlone()
            }
        }
        return .answered
    }

    /// The others are so much faster that what this client needs next is gone. Who asks again within a minute asks alone.
    private func fellBehind(_ stream: ServerStream) {
        let hadCookie = use.request?.present.contains(.cookie) == true
        service.refusals.insert(use.id, hadCookie: hadCookie, at: service.loop.milliseconds)
        stopWaiting()
        reason = "cache-behind"
        stream.abort()
    }

    private func fillFailed() {
        if let candidate = use.candidate, serveInsteadOfError(candidate, status: 502) { return }
        refuse(
            502, "collapsed-failure",
            "The upstream server's response, which another request had asked for, did not arrive.")
    }

    // MARK: Endings

    /// The exchange is over, or answers by other means: nobody tells it of anything any more.
    func leaveCache() {
        endInflating()
        if let id = use.refreshed { service.refreshing.remove(id) }
        use.wait?.cancel()
        use.turn?.cancel()
        if let fill = use.leading { fill.leave() }
        if let reader = use.reader {
            use.reading?.detach(reader)
            reader.detach()
        }
        use = CacheUse()
    }
}
