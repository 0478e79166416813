// SPDX-License-Identifier: Apache-2.0
// Downloads that several exchanges share: who leads, who waits, and what becomes of those who wait.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving

extension ProxyExchange {
    private static let restartLimit = 3
    /// Pieces of a body sent in a row at most, before others have their turn.
    static let piecesInARow = 16

    /// Leads the download of what is missing, or waits for who does.
    func join(_ cache: ResponseCache) {
        let reader = newReader()
        let key = keptKey
        switch cache.store.join(use.id, key: key, as: reader, scopes: { CacheScopes.of(key: key.bytes) }) {
        case .lead(let fill) where use.request?.contribution != .everybody:
            // Who was to be followed has ended meanwhile.
            fill.leave()
            forwardAlone()
        case .lead(let fill):
            // What was being downloaded when it was looked for may have been stored since.
            if use.candidate == nil, use.restarts < Self.restartLimit, cache.store.contains(use.id) {
                fill.leave()
                use.restarts += 1
                look(cache)
                return
            }
            use.leading = fill
            use.conditions = use.candidate == nil ? .fill : .validate
            forward()
        case .follow(let fill):
            use.reading = fill
            if use.isRefresh {
                // Somebody else brings it up to date.
                stream?.abort()
                return
            }
            guard mayWait else {
                forwardAlone()
                return
            }
            use.wait = WaitTimer(self, in: cache.wait)
            pumpDownload()
        case .alone where use.isRefresh: stream?.abort()
        case .alone: forwardAlone()
        }
    }

    /// Whether what another's request brings may be for this one too, as far as can be told beforehand.
    private var mayWait: Bool {
        guard use.mayWait else { return false }
        guard use.candidate == nil else { return true }
        // Most answers to who proves who he is are for him alone (RFC 9111 section 3.5).
        guard let request = use.request, !request.present.contains(.authorization) else { return false }
        return !service.refusals.contains(
            use.id, hadCookie: request.present.contains(.cookie), at: service.loop.milliseconds)
    }

    /// Others fetch the same thing, or the disk is asked, and it takes too long.
    func waitedTooLong() {
        use.isReading = false
        guard let stream, stream.hasBegun else {
            forwardAlone()
            return
        }
        reason = "cache-timeout"
        use.serving = nil
        stream.abort()
    }

    /// Forwards although somebody else fetches the same thing, or because nobody is to wait for it; what comes is stored when
    /// nobody else's is by then. What is stored already may still turn out to be valid, or be better than an error.
    func forwardAlone() {
        if use.reading != nil { use.status?.isCollapsed = false }
        stopWaiting()
        if let cache = service.cache { mayLeadLater(cache) }
        use.conditions = use.candidate == nil ? .asTheyCame : .validate
        forward()
    }

    private func stopWaiting() {
        use.wait?.cancel()
        use.wait = nil
        if let reader = use.reader {
            use.reading?.detach(reader)
            reader.detach()
        }
        use.reader = nil
        use.reading = nil
    }

    /// Takes what there is of the download that the response is read from.
    func pumpDownload() {
        guard let fill = use.reading, let reader = use.reader, let cache = service.cache, !use.isReading else { return }
        // The leader's own download tells it.
        let registers = reader.download == nil
        var turns = 0
        // The exchange may have ended in between, and serve another request with the same download.
        while use.reading === fill, use.reader === reader, !use.isReading, let stream {
            if stream.isBlocked || waitsForTurn { return }
            turns += 1
            if turns > Self.piecesInARow {
                yieldTurn()
                return
            }
            switch fill.next(reader, registers: registers) {
            case .wait:
                if stream.hasBegun {
                    stream.flush()
                } else if cache.wait == 0 {
                    forwardAlone()
                }
                return
            case .head(let description): downloadBegan(description, cache)
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
                    use.wait = WaitTimer(self, in: Self.diskPatience)
                    (use.position, use.end) = (wanted.lowerBound, wanted.upperBound)
                    if fill.readSoon(chunk, into: block, for: reader) { return }
                    diskIsBusy(block)
                case .damaged:
                    service.loop.giveBack(block)
                    stream.abort()
                }
            case .end:
                guard endSendingStored(to: stream) else { return }
                stopWaiting()
                upstreamFinished = max(upstreamFinished, upstreamStarted)
                stream.finish(trailers: nil)
            case .behind: fellBehind(stream)
            case .failed:
                let hasBegun = stream.hasBegun
                stopWaiting()
                if hasBegun { stream.abort() } else { downloadFailed() }
            case .handOver: beginAnew(cache)
            case .refreshed:
                // If it has to be validated again already, by itself: nobody waits twice.
                use.mayWait = false
                beginAnew(cache)
            case .released: forwardAlone()
            }
        }
    }

    /// What another fetched came to nothing that this exchange could use: once more from the start.
    private func beginAnew(_ cache: ResponseCache) {
        stopWaiting()
        use.restarts += 1
        guard use.restarts <= Self.restartLimit else {
            forwardAlone()
            return
        }
        look(cache)
    }

    /// The others are so much faster that what this client needs next is gone. Who asks again within a minute asks alone.
    private func fellBehind(_ stream: ServerStream) {
        let hadCookie = use.request?.present.contains(.cookie) == true
        service.refusals.insert(use.id, hadCookie: hadCookie, at: service.loop.milliseconds)
        stopWaiting()
        reason = "cache-behind"
        stream.abort()
    }

    /// The head of what is downloaded.
    private func downloadBegan(_ description: ObjectDescription, _ cache: ResponseCache) {
        use.wait?.cancel()
        use.wait = nil
        guard let record = StoredRecord(description.record) else {
            forwardAlone()
            return
        }
        if record.kind == .vary {
            stopWaiting()
            let names = description.metadata
            guard !use.isVariant, chooseVariant(names.bytes, cache) else {
                forwardAlone()
                return
            }
            look(cache)
            return
        }
        // What may not be used again without asking is for the one who asked (RFC 9111 section 4).
        switch Reuse.decide(
            record.policy, use.request?.directives ?? RequestDirectives(), now: wallMilliseconds, cache.rules)
        {
        case .fresh, .stale: break
        case .validate, .gatewayTimeout:
            forwardAlone()
            return
        }
        use.status?.isCollapsed = true
        serve(description, record, tellsAge: true)
    }

    private func downloadFailed() {
        if let candidate = use.candidate, serveInsteadOfError(candidate, status: 502) { return }
        reason = "collapsed-failure"
        deliverError(502, "The upstream server's response, which another request had asked for, did not arrive.")
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
