// SPDX-License-Identifier: Apache-2.0
// What a transfer has to do with the cache: every decision is `CachePolicy`'s, every file `ClientCache`'s.

import Bytes
import CachePolicy
import CacheStore
import HTTP

/// A request as the cache sees it.
struct CacheQuestion {
    let parsed: ParsedRequest
    let request: CacheRequest
    let key: RequestKey
    let url: HTTPURL
}

extension TransferRunner {
    /// The user's own cache (RFC 9111 section 1).
    static let rules = CacheRules(isShared: false)

    /// Looks a stored response up.
    func lookUp(_ state: inout State) -> TransferMachine.Step {
        state.entry = nil
        state.asked = nil
        guard let cache = context.cache else { return state.machine.found(.none) }
        state.report.cache = .bypass
        state.report.method = state.machine.method
        state.report.url = state.machine.url.text
        let outgoing = outgoing(state, content: nil)
        guard let parsed = ParsedRequest(outgoing, state.settings),
            let key = RequestKey(parsed, state.machine.url, state.settings)
        else { return state.machine.found(.none) }
        let request = CacheRequest(parsed.head, parsed.bytes.span)
        guard Lookup.decide(request) == .lookUp else { return state.machine.found(.none) }
        state.asked = CacheQuestion(parsed: parsed, request: request, key: key, url: state.machine.url)
        state.report.cache = .miss
        let search = cache.find(key)
        guard let entry = search.entry, !entry.policy.flags.contains(.isPartial) else {
            return Lookup.timesOut(request) ? .fail(Self.onlyIfCached, delivers: false) : state.machine.found(.none)
        }
        state.entry = entry
        switch Reuse.decide(entry.policy, request.directives, now: WallClock.milliseconds, Self.rules) {
        // A server that names no lifetime is asked: a person who fetches a page does not expect a guess (RFC 9111 section
        // 4.2.2 allows one).
        case .fresh where !entry.policy.flags.contains(.isHeuristic):
            return state.machine.found(.usable(isStale: false))
        // Nobody stays behind to validate it meanwhile.
        case .fresh, .stale(_, refresh: true), .validate:
            // A client's own conditions and ranges are for what is stored, not for the server to be asked with.
            let isPlain = request.present.isDisjoint(with: .conditions)
            let hasValidator = entry.policy.flags.contains(.hasValidator) && isPlain && state.machine.method == "GET"
            return state.machine.found(.needsValidation(hasValidator: hasValidator))
        case .stale(_, refresh: false): return state.machine.found(.usable(isStale: true))
        case .gatewayTimeout: return .fail(Self.onlyIfCached, delivers: false)
        }
    }

    /// RFC 9111 section 5.2.1.7, by a field of the user's own.
    private static let onlyIfCached = ClientFailure(
        4, "nothing usable is in the cache, and \"Cache-Control: only-if-cached\" forbids to ask the server")

    /// The fields that ask whether a stored response is still good.
    func conditions(of entry: CacheEntry) -> [UInt8] {
        let stored = entry.bytes
        let block = Block(capacity: ValidationFields.byteLimit + entry.bytes.count + 256)
        _ = ValidationFields.write(entry.head, stored.span, to: block)
        return unsafe block.readable.withUnsafeBufferPointer { unsafe Array($0) }
    }

    /// Whether the stored response may answer when the server fails (RFC 5861 section 4).
    func mayServeStale(_ state: State, status: UInt16) -> Bool {
        guard let entry = state.entry, let asked = state.asked, state.settings.cacheMode == .standard else {
            return false
        }
        let decision = StaleIfError.decide(
            entry.policy, asked.request.directives, now: WallClock.milliseconds, status: status)
        if case .serve = decision { return true }
        return false
    }

    /// Updates the stored response by a 304; false when that is not about it (RFC 9111 section 4.3.4).
    func freshen(_ state: inout State, _ exchange: Exchange) -> Bool {
        guard let entry = state.entry, let asked = state.asked else { return false }
        let stored = entry.bytes
        let received = exchange.headBytes
        var choice = Freshening(exchange.head, received.span, asked: 1)
        choice.offer(entry.policy, entry.head, stored.span, bytes: received.span)
        guard choice.selected & 1 != 0 else { return false }
        return update(entry, asked, exchange)
    }

    /// Merges the fields of `exchange` into a stored response, and writes that down if it may still be stored.
    private func update(_ entry: CacheEntry, _ asked: CacheQuestion, _ exchange: Exchange) -> Bool {
        guard let cache = context.cache else { return false }
        let stored = entry.bytes
        let received = exchange.headBytes
        let times = ExchangeTimes(request: exchange.requestTime, response: exchange.responseTime)
        let age = ResponseAge(exchange.head, received.span, times)
        let merged = Block(capacity: entry.bytes.count + exchange.headBytes.count + 1_024)
        merged.append(stored.span.extracting(0..<Self.statusLineEnd(entry.bytes)))
        guard
            FieldMerge.write(
                entry.head, stored.span, exchange.head, received.span, age: age, Self.rules, to: merged)
        else { return false }
        merged.appendLineEnd()
        let bytes = unsafe merged.readable.withUnsafeBufferPointer { unsafe Array($0) }
        guard let head = CacheEntry.parse(bytes) else { return false }
        do throws(StoreRefusal) {
            let policy = try Storing.renew(
                entry.policy, head, bytes.span, times, age: age, Self.rules, isSecure: asked.url.isSecure)
            let names = VaryNames(head, bytes.span)
            let list = Block(capacity: VaryNames.byteLimit + 64)
            names.write(bytes.span, to: list)
            let vary = unsafe list.readable.withUnsafeBufferPointer { unsafe Array($0) }
            entry.take(bytes, head, policy)
            let description = CacheDescription(
                id: ObjectID(key: asked.key.hash, variant: asked.key.variant(vary)), key: asked.key.bytes,
                url: asked.url.text, varyNames: vary, head: bytes, policy: policy)
            _ = cache.replace(entry, by: description)
        } catch {
            // It answers this request; nobody else gets it.
            var policy = entry.policy
            policy.invalidate()
            entry.take(bytes, head, policy)
            cache.remove(entry.place)
        }
        return true
    }

    static func statusLineEnd(_ bytes: [UInt8]) -> Int { (bytes.firstIndex(of: 0x0A) ?? -1) + 1 }

    /// A writer for the response, if it may be stored; what it replaces goes.
    func storing(_ state: inout State, _ exchange: Exchange) -> CacheWriter? {
        guard let cache = context.cache, let asked = state.asked, state.settings.cacheMode != .noStore
        else { return nil }
        defer { state.asked = nil }
        if asked.request.method == .head {
            updateByHead(state, asked, exchange)
            return nil
        }
        if let entry = state.entry, exchange.head.status != 304,
            ValidationOutcome.decide(
                entry.policy, asked.request.directives, now: exchange.responseTime, status: exchange.head.status)
                == .replace, !asked.request.present.contains(.range)
        {
            cache.remove(entry.place)
        }
        let times = ExchangeTimes(request: exchange.requestTime, response: exchange.responseTime)
        let bytes = exchange.headBytes
        if let length = exchange.bodyLength, length > UInt64(cache.objectLimit) { return nil }
        do throws(StoreRefusal) {
            let policy = try Storing.decide(
                asked.request, exchange.head, bytes.span, times, Self.rules, isSecure: asked.url.isSecure)
            // Parts are not put together here.
            guard !policy.flags.contains(.isPartial) else { return nil }
            let age = ResponseAge(exchange.head, bytes.span, times)
            let fields = Block(capacity: bytes.count + 1_024)
            fields.append(bytes.span.extracting(0..<Self.statusLineEnd(bytes)))
            guard StoredFields.write(exchange.head, bytes.span, age: age, Self.rules, to: fields) else { return nil }
            fields.appendLineEnd()
            let names = Block(capacity: VaryNames.byteLimit + 64)
            VaryNames(exchange.head, bytes.span).write(bytes.span, to: names)
            let vary = unsafe names.readable.withUnsafeBufferPointer { unsafe Array($0) }
            let description = unsafe CacheDescription(
                id: ObjectID(key: asked.key.hash, variant: asked.key.variant(vary)), key: asked.key.bytes,
                url: asked.url.text, varyNames: vary,
                head: fields.readable.withUnsafeBufferPointer { unsafe Array($0) }, policy: policy)
            return CacheWriter(description, in: cache)
        } catch {
            if state.listener.wantsNotes { state.listener.note("not stored in the cache: \(error.word)") }
            return nil
        }
    }

    /// The body was read to its end.
    func finishStoring(_ state: inout State, _ writer: CacheWriter?) {
        guard let writer else { return }
        state.report.isStored = writer.finish()
        if state.listener.wantsNotes, state.report.isStored { state.listener.note("stored in the cache") }
    }

    /// RFC 9111 section 4.3.5.
    private func updateByHead(_ state: State, _ asked: CacheQuestion, _ exchange: Exchange) {
        guard let entry = state.entry, let cache = context.cache else { return }
        let stored = entry.bytes
        let received = exchange.headBytes
        let decision = HeadUpdate.decide(
            exchange.head, received.span, entry.head, stored.span, length: entry.length)
        switch decision {
        case .update: _ = update(entry, asked, exchange)
        case .expire: cache.remove(entry.place)
        case .ignore: break
        }
    }

    /// What a change at the server makes invalid goes (RFC 9111 section 4.4).
    func noteUnsafe(_ state: State, _ exchange: Exchange) {
        let method = Method.named(state.report.method)
        let url = state.machine.url
        guard let cache = context.cache, Invalidation.applies(method, status: exchange.head.status),
            let hash = RequestKey.hash(of: url)
        else { return }
        cache.invalidate(hash)
        for name in ["location", "content-location"] {
            for value in HeadText.values(of: name, in: exchange.headBytes) {
                guard let named = try? url.resolving(value), named.isSameOrigin(as: url),
                    let hash = RequestKey.hash(of: named)
                else { continue }
                cache.invalidate(hash)
            }
        }
    }
}
