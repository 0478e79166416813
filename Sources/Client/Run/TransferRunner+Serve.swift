// SPDX-License-Identifier: Apache-2.0
// Answering from the cache.

import Bytes
import CachePolicy
import CacheStore
import HTTP

extension TransferRunner {
    /// Answers from the cache. False when the file is not as it was written; nothing was passed on then.
    func serve(_ state: inout State, _ serving: TransferMachine.Serving) throws(ClientFailure) -> Bool {
        guard let entry = state.entry, let asked = state.asked else { return false }
        guard entry.isSound(block) else {
            context.cache?.remove(entry.place)
            return false
        }
        if case .hit = serving {} else { try drainExchange(&state) }
        let now = WallClock.milliseconds
        let age = entry.policy.age(at: now)
        noteServing(&state, serving)
        if state.listener.wantsNotes {
            state.listener.note("from the cache: \(state.report.cache.rawValue), \(age) seconds old")
        }
        let stored = entry.bytes
        let served = ClientConditions.evaluate(
            asked.request, asked.parsed.head, asked.parsed.bytes.span, entry.policy, entry.head, stored.span,
            size: entry.length, now: now)
        let bytes = Self.servedHead(entry, served, asked, age: age)
        state.report.status = served.status(of: entry.policy)
        state.report.head = bytes
        state.report.headBytes += UInt64(bytes.count)
        state.report.httpVersion = "1.1"
        try state.listener.responseHead(bytes.span, status: state.report.status, isFinal: true)
        var range: Range<UInt64> = 0..<0
        switch served {
        case .whole: range = 0..<entry.length
        case .partial(let part): range = part
        case .notModified, .unsatisfiable: break
        }
        if asked.request.method == .head { range = 0..<0 }
        try pass(entry, range, &state)
        if state.settings.failsOnError || state.settings.failsWithBody, state.report.status >= 400 {
            throw ClientFailure(22, "the server answered \(state.report.status), says the cache")
        }
        return true
    }

    /// The step to take when what is stored is a redirect.
    func followStored(
        _ state: inout State, _ serving: TransferMachine.Serving
    ) throws(ClientFailure) -> TransferMachine.Step? {
        guard let entry = state.entry else { return nil }
        let bytes = entry.bytes
        let location = HeadText.values(of: "location", in: bytes).first
        guard let step = state.machine.served(entry.policy.status, location: location) else { return nil }
        // Before anybody is asked for what the redirect leads to.
        try drainExchange(&state)
        release(&state)
        try state.listener.responseHead(bytes.span, status: entry.policy.status, isFinal: false)
        state.report.timings.noteRedirect()
        noteServing(&state, serving)
        state.report.status = entry.policy.status
        state.report.head = bytes
        if case .fail = step { return step }
        noteRequest(&state, nil)
        return step
    }

    private func noteServing(_ state: inout State, _ serving: TransferMachine.Serving) {
        state.request.isAnswered = true
        switch serving {
        case .hit(let isStale): state.report.cache = isStale ? .stale : .hit
        case .revalidated: state.report.cache = .revalidated
        case .staleIfError: state.report.cache = .stale
        }
    }

    private func drainExchange(_ state: inout State) throws(ClientFailure) {
        guard let exchange = state.exchange else { return }
        try? exchange.drain(report: &state.report)
        state.report.bodyBytes = 0
    }

    private func pass(_ entry: CacheEntry, _ range: Range<UInt64>, _ state: inout State) throws(ClientFailure) {
        let isPart = range.count != Int(clamping: entry.length)
        let coding = HeadText.values(of: "content-encoding", in: entry.bytes).first
        let decoder = try ContentDecoder(
            coding: state.settings.acceptsCompressed && !isPart ? coding : nil, limit: state.settings.maxBodyBytes,
            listener: state.listener)
        try state.listener.beginBody(length: UInt64(range.count))
        guard !range.isEmpty else { return }
        let block = block
        let size = UInt64(CacheEntry.chunkBytes)
        for number in Int(range.lowerBound / size)...Int((range.upperBound - 1) / size) {
            guard entry.read(number, into: block) else {
                context.cache?.remove(entry.place)
                throw ClientFailure(18, "the cache's copy was damaged and has been removed; try again")
            }
            let start = UInt64(number) * size
            let from = Int(max(range.lowerBound, start) - start)
            let to = Int(min(range.upperBound - start, size))
            state.report.bodyBytes += UInt64(to - from)
            try decoder.take(block.readable.extracting(from..<to))
        }
        try decoder.finish()
    }

    private static func servedHead(
        _ entry: CacheEntry, _ served: Served, _ asked: CacheQuestion, age: UInt32
    ) -> [UInt8] {
        let stored = entry.bytes
        let head = Block(capacity: entry.bytes.count + ServedFields.ownLimit + 256)
        if served == .whole {
            head.append(stored.span.extracting(0..<statusLineEnd(entry.bytes)))
        } else {
            head.appendStatusLine(status: served.status(of: entry.policy))
        }
        let hasTag = Validators(entry.head, stored.span).tag != nil
        let isIfRange = asked.request.present.contains(.ifRange)
        for position in 0..<entry.head.fields.count {
            let field = entry.head.fields[position]
            guard ServedFields.send(field.name, served, hasTag: hasTag, isIfRange: isIfRange) else { continue }
            head.appendField(
                name: stored.span.extracting(field.nameRange), value: stored.span.extracting(field.valueRange))
        }
        ServedFields.writeOwn(served, age: age, size: entry.length, to: head)
        head.appendLineEnd()
        return unsafe head.readable.withUnsafeBufferPointer { unsafe Array($0) }
    }
}
