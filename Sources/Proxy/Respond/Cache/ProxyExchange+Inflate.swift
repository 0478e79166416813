// SPDX-License-Identifier: Apache-2.0
// Stored gzip for a client that does not take it: inflated a block at a time, as fast as the client takes it and as the loop's
// other connections allow. A range of the identity form begins at the last place of the `RestartIndex` before it, and is what is
// left when the rest has been skipped.

import Bytes
import CachePolicy
import CacheStore
import ContentCoding
import Engine
import HTTP
import Serving

/// The inflating of one stored body.
struct Inflation {
    let decoder: GzipDecoder
    /// Bytes of the identity form before the first that is wanted.
    var skips: UInt64
    /// Those that are wanted and have not been sent; nil for all there are.
    var left: UInt64?
    /// Where the stored body says where to begin, until that is read.
    var entry: Int?
    /// Whether the decoder has more for what it was given.
    var isFull = false
    /// Whether all that is wanted has been sent.
    var isEnded = false
    /// What may still be inflated in this turn of the loop.
    var budget = CodingTurn.inflatedBytes
    /// Whether that is used up, and the loop's other connections come first.
    var isWaiting = false
}

extension ProxyExchange {
    /// Finds out how a client gets the identity form of a stored response. True when it is inflated while it is sent; else it
    /// is in `use.inflated`, or the body is sent as it is stored, or none is.
    func prepareInflating(_ stored: StoredResponse, _ coding: StoredCoding, _ served: Served) -> Bool {
        guard use.form == .identity, head.method != .head else { return false }
        var range: Range<UInt64>?
        switch served {
        case .whole: break
        case .partial(let bytes): range = bytes
        case .notModified, .unsatisfiable: return false
        }
        if case .object(let object) = stored, let length = coding.identityLength {
            use.inflated = service.inflated.body(of: object, length: length, service.codings)
            if use.inflated != nil { return false }
        }
        let restart = range.flatMap { coding.restart(for: $0.lowerBound, stored: stored.length) }
        beginInflating(range, length: coding.identityLength, at: restart)
        return true
    }

    /// Has the stored body inflated: those bytes of it, or all. `length`: of the identity form, when it is known.
    func beginInflating(_ range: Range<UInt64>?, length: UInt64?, at restart: RestartIndex.Start? = nil) {
        let before = restart?.identity ?? 0
        // More than was measured when it was stored would be more than Content-Length says.
        let decoder = service.codings.takeDecoder(
            limit: length.map { $0 - before } ?? .max, fromRestart: restart != nil)
        use.inflation = Inflation(
            decoder: decoder, skips: (range?.lowerBound ?? 0) - before,
            left: range.map { $0.upperBound - $0.lowerBound } ?? length, entry: restart?.entry)
        if use.inflation?.left == 0 { use.inflation?.isEnded = true }
    }

    /// The stored body has said where to begin.
    func beginAtPlace(_ place: UInt64) {
        use.inflation?.entry = nil
        guard place < UInt64(use.end) else {
            damaged()
            return
        }
        use.position = Int(place)
    }

    /// Whether the loop's other connections come first.
    var waitsForTurn: Bool { use.inflation?.isWaiting == true }

    /// Whether nothing more of an inflated body is wanted, though more of it is stored.
    var hasSentWanted: Bool { use.inflation?.isEnded == true }

    /// Sends bytes of a body as they are stored, inflated where this client wants that. Returns how many are used up: fewer than
    /// all when the client or the loop takes no more now.
    func sendStored(_ bytes: Span<UInt8>, to stream: ServerStream) -> Int {
        guard let decoder = use.inflation?.decoder else {
            stream.send(bytes)
            return bytes.count
        }
        if hasSentWanted { return bytes.count }
        let block = service.loop.largeBlocks.take()
        defer { service.loop.giveBack(block) }
        var offset = 0
        while true {
            block.clear()
            let step = decoder.decode(bytes.extracting(offset...), into: block)
            offset += step.consumed
            use.inflation?.isFull = step.state == .outputFull
            use.inflation?.budget -= block.count
            sendWanted(block, to: stream)
            // The client may have gone.
            guard let state = use.inflation, self.stream === stream else { return bytes.count }
            if state.isEnded { return bytes.count }
            switch step.state {
            case .needsInput: return offset
            case .outputFull:
                if stream.isBlocked { return offset }
                if state.budget <= 0 {
                    use.inflation?.isWaiting = true
                    awaitCodingTurn()
                    return offset
                }
            case .ended where state.left ?? 0 == 0:
                use.inflation?.isEnded = true
                return bytes.count
            case .ended, .damaged, .tooLong:
                damaged()
                return bytes.count
            }
        }
    }

    private func sendWanted(_ block: Block, to stream: ServerStream) {
        guard var state = use.inflation else { return }
        let skipped = min(state.skips, UInt64(block.count))
        state.skips -= skipped
        var wanted = Int(skipped)..<block.count
        if let left = state.left {
            wanted = wanted.prefix(Int(clamping: left))
            state.left = left - UInt64(wanted.count)
            if state.left == 0 { state.isEnded = true }
        }
        use.inflation = state
        if !wanted.isEmpty { stream.send(block.readable.extracting(wanted)) }
    }

    /// All that is stored has been used up, but perhaps not all been sent. True when the body is over; false when it has to be
    /// waited for, or is cut.
    func endSendingStored(to stream: ServerStream) -> Bool {
        while let state = use.inflation, !state.isEnded {
            if stream.isBlocked || state.isWaiting { return false }
            // What is stored ends before its content does.
            guard state.isFull else {
                damaged()
                return false
            }
            _ = sendStored(Span(), to: stream)
        }
        return self.stream === stream
    }

    /// The loop has served others.
    func codingTurnCame() {
        compressionTurnCame()
        use.inflation?.budget = CodingTurn.inflatedBytes
        use.inflation?.isWaiting = false
    }

    /// Gives the decoder back.
    func endInflating() {
        guard let ended = use.inflation else { return }
        use.inflation = nil
        service.codings.give(ended.decoder)
    }
}

extension Range<Int> {
    fileprivate func prefix(_ count: Int) -> Range<Int> {
        lowerBound..<Swift.min(upperBound, lowerBound + Swift.min(count, self.count))
    }
}
