// SPDX-License-Identifier: Apache-2.0
// Seventh step: is the response stored, does another request fetch it now, or is it for this one to fetch?
//
//   run ─▶ look ─▶ found ─▶ stored                                 fresh, or stale and allowed
//                    │  └──▶ validate ─▶ join ─▶ upstream           with conditions
//                    └ open (a disk thread) ─▶ opened ─▶ found
//          missed ─▶ join ─▶ upstream                              the leader of a fill
//                      └───▶ follow ─▶ shared                       those who come later

import Bytes
package import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving

/// Looks in the cache, and makes a stored or shared response the responder where one may be used.
enum LookUpStep {
    /// Milliseconds after which a disk that does not answer is done without.
    static let diskTimeout = 5_000

    static func run(_ exchange: ProxyExchange) -> StepOutcome {
        guard case .upstream = exchange.responder, let cache = exchange.service.cache else { return .next }
        if exchange.takesPurge(cache) { return .answered }
        var request = CacheRequest(exchange.head, exchange.headBytes)
        // A certificate says who asks, as Authorization does, and the upstream server is told of it.
        if exchange.proof != .none { request.present.insert(.authorization) }
        exchange.use.request = request
        if exchange.route?.usesCache == false { return bypass(exchange, .bypass) }
        if case .forward(let reason) = Lookup.decide(request) { return bypass(exchange, reason) }
        let key = exchange.service.keyScratch
        key.clear()
        guard !exchange.isAskedForAnotherHost,
            CacheKey.write(exchange.isSecureForClient ? .https : .http, exchange.head, exchange.headBytes, to: key),
            key.count <= StoredHead.keyLimit
        else { return bypass(exchange, .bypass) }
        exchange.use.id = cache.id(of: key.readable)
        return look(exchange, cache)
    }

    /// Forwards a request that the cache has nothing to do with.
    private static func bypass(_ exchange: ProxyExchange, _ reason: ForwardReason) -> StepOutcome {
        if exchange.use.isRefresh { return abort(exchange) }
        if let request = exchange.use.request, request.method == .get || request.method == .head,
            Lookup.timesOut(request)
        {
            return onlyIfCached(exchange)
        }
        exchange.use.status = CacheStatus(.forward(reason))
        exchange.use.word = "bypass"
        return .next
    }

    /// Asks the store for `use.id`, whose key is in the scratch block or, later, in `use.key`.
    static func look(_ exchange: ProxyExchange, _ cache: ResponseCache) -> StepOutcome {
        let now = exchange.service.loop.milliseconds
        let answer: CacheAnswer
        if let key = exchange.use.key {
            answer = cache.store.look(exchange.use.id, key: key.bytes, now: now)
        } else {
            let key = exchange.service.keyScratch
            answer = cache.store.look(exchange.use.id, key: key.readable, now: now)
        }
        switch answer {
        case .object(let object): return found(exchange, .object(object), cache)
        case .file(let file): return found(exchange, .file(file), cache)
        case .miss: return missed(exchange, cache)
        case .onDisk, .unknown:
            let reader = exchange.newReader()
            guard cache.store.open(exchange.use.id, key: exchange.keptKey, for: reader) else {
                return missed(exchange, cache)
            }
            exchange.use.isReading = true
            exchange.use.wait = WaitTimer(exchange, in: diskTimeout)
            return .wait
        }
    }

    /// A disk thread has opened what there was.
    static func opened(_ exchange: ProxyExchange, _ opening: Opening) -> StepOutcome {
        guard let cache = exchange.service.cache, exchange.use.isReading else { return .wait }
        exchange.use.isReading = false
        exchange.use.wait?.cancel()
        exchange.use.wait = nil
        switch opening {
        case .miss: return missed(exchange, cache)
        case .object(let object): return found(exchange, .object(object), cache)
        case .file(let file): return found(exchange, .file(file), cache)
        }
    }

    private static func found(
        _ exchange: ProxyExchange, _ stored: StoredResponse, _ cache: ResponseCache
    ) -> StepOutcome {
        guard let request = exchange.use.request, let record = StoredRecord(stored.head.record) else {
            return missed(exchange, cache)
        }
        if record.kind == .vary {
            // One step only: a variant is a response.
            let names = stored.head
            guard !exchange.use.isVariant, exchange.chooseVariant(names.metadata, cache) else {
                return bypass(exchange, .varyMiss)
            }
            return look(exchange, cache)
        }
        let now = exchange.wallMilliseconds
        let rules = cache.rules
        if exchange.use.isRefresh {
            // Another request may have brought it up to date already.
            if case .fresh = Reuse.decide(record.policy, RequestDirectives(), now: now, rules) {
                return abort(exchange)
            }
            exchange.use.candidate = stored
            return join(exchange, cache)
        }
        let ttl = record.policy.ttl(at: now)
        switch Reuse.decide(record.policy, request.directives, now: now, rules) {
        case .fresh:
            exchange.use.word = "hit"
            exchange.use.status = CacheStatus(.hit, ttl: ttl)
            exchange.responder = .stored(stored)
            return .next
        case .stale(_, true) where request.contribution == .ifPermitted && !cache.store.isFilling(exchange.use.id):
            // What it brings is for others only when its response says so, so it refreshes nothing in the background.
            return validate(exchange, stored, .expired, request, cache)
        case .stale(_, let refreshes):
            exchange.use.word = "stale"
            if refreshes, request.contribution == .everybody { exchange.refreshInBackground(cache) }
            exchange.use.status = CacheStatus(.hit, ttl: ttl)
            exchange.responder = .stored(stored)
            return .next
        case .validate(let why): return validate(exchange, stored, why, request, cache)
        case .gatewayTimeout: return onlyIfCached(exchange)
        }
    }

    /// Has the upstream server asked about what is stored.
    private static func validate(
        _ exchange: ProxyExchange, _ stored: StoredResponse, _ why: Reuse.Why, _ request: CacheRequest,
        _ cache: ResponseCache
    ) -> StepOutcome {
        exchange.use.candidate = stored
        exchange.use.status = CacheStatus(.forward(why.forward), detail: why.word)
        exchange.use.word = "miss"
        // A response that must be validated for each request is for the client that asked.
        if why != .expired { exchange.use.mayWait = false }
        switch request.contribution {
        case .everybody: return join(exchange, cache)
        // It may use what another request brings, but no other waits for what it brings.
        case .ifPermitted where exchange.use.mayWait && cache.store.isFilling(exchange.use.id):
            return join(exchange, cache)
        case .ifPermitted: return exchange.goAlone()
        case .nothing:
            // The answer may tell of what is stored.
            exchange.use.key = exchange.keptKey
            return .next
        }
    }

    /// RFC 9111 §5.2.1.7.
    private static func onlyIfCached(_ exchange: ProxyExchange) -> StepOutcome {
        exchange.use.word = "miss"
        return exchange.refuse(
            504, "only-if-cached", "Only a stored response was asked for, and there is none that may be used.")
    }

    /// Nothing is stored that could be used.
    private static func missed(_ exchange: ProxyExchange, _ cache: ResponseCache) -> StepOutcome {
        guard let request = exchange.use.request else { return .next }
        if exchange.use.isRefresh { return abort(exchange) }
        if Lookup.timesOut(request) { return onlyIfCached(exchange) }
        exchange.use.status = CacheStatus(.forward(exchange.use.isVariant ? .varyMiss : .uriMiss))
        exchange.use.word = "miss"
        // A part, or a HEAD, fills nothing that others could wait for.
        guard ForwardedConditions.onMiss(request) == .fill, !request.present.contains(.range) else {
            exchange.mayLeadLater(cache)
            return .next
        }
        return join(exchange, cache)
    }

    /// A refresh that is not needed ends; it has no client.
    private static func abort(_ exchange: ProxyExchange) -> StepOutcome {
        exchange.stream?.abort()
        return .answered
    }

    // MARK: Fills

    /// How often a request begins again because another's fill came to nothing.
    private static let restartLimit = 3

    /// Leads the fill of what is missing, or waits for the request that leads it.
    private static func join(_ exchange: ProxyExchange, _ cache: ResponseCache) -> StepOutcome {
        let reader = exchange.newReader()
        let key = exchange.keptKey
        switch cache.store.join(exchange.use.id, key: key, as: reader, scopes: { CacheScopes.of(key: key.bytes) }) {
        case .lead(let fill) where exchange.use.request?.contribution != .everybody:
            // The fill that was to be followed has ended meanwhile.
            fill.leave()
            return exchange.goAlone()
        case .lead(let fill):
            // What was being fetched when it was looked for may have been stored since.
            if exchange.use.candidate == nil, exchange.use.restarts < restartLimit,
                cache.store.contains(exchange.use.id)
            {
                fill.leave()
                exchange.use.restarts += 1
                return look(exchange, cache)
            }
            exchange.use.leading = fill
            exchange.use.conditions = exchange.use.candidate == nil ? .fill : .validate
            return .next
        case .follow(let fill):
            exchange.use.reading = fill
            // Another request brings it up to date.
            if exchange.use.isRefresh { return abort(exchange) }
            guard mayFollow(exchange) else { return exchange.goAlone() }
            exchange.use.wait = WaitTimer(exchange, in: cache.wait)
            return exchange.pumpFill()
        case .alone: return exchange.use.isRefresh ? abort(exchange) : exchange.goAlone()
        }
    }

    /// Whether what another request brings may be for this one too, as far as can be told beforehand.
    private static func mayFollow(_ exchange: ProxyExchange) -> Bool {
        guard exchange.use.mayWait else { return false }
        guard exchange.use.candidate == nil else { return true }
        // Most responses to a client that proves who it is are for that client alone (RFC 9111 §3.5).
        guard let request = exchange.use.request, !request.present.contains(.authorization) else { return false }
        return !exchange.service.refusals.contains(
            exchange.use.id, hadCookie: request.present.contains(.cookie), at: exchange.service.loop.milliseconds)
    }

    /// What another request fetched came to nothing that this exchange could use: it looks once more.
    static func restart(_ exchange: ProxyExchange, _ cache: ResponseCache) -> StepOutcome {
        exchange.stopWaiting()
        exchange.use.restarts += 1
        guard exchange.use.restarts <= restartLimit else { return exchange.goAlone() }
        return look(exchange, cache)
    }

    /// The head of the fill that this exchange follows has come.
    static func fillBegan(
        _ exchange: ProxyExchange, _ description: ObjectDescription, _ cache: ResponseCache
    ) -> StepOutcome {
        exchange.use.wait?.cancel()
        exchange.use.wait = nil
        guard let record = StoredRecord(description.record) else { return exchange.goAlone() }
        if record.kind == .vary {
            exchange.stopWaiting()
            let names = description.metadata
            guard !exchange.use.isVariant, exchange.chooseVariant(names.bytes, cache) else {
                return exchange.goAlone()
            }
            return look(exchange, cache)
        }
        // What may not be used again without asking is for the client that asked (RFC 9111 §4).
        let directives = exchange.use.request?.directives ?? RequestDirectives()
        switch Reuse.decide(record.policy, directives, now: exchange.wallMilliseconds, cache.rules) {
        case .fresh, .stale: break
        case .validate, .gatewayTimeout: return exchange.goAlone()
        }
        exchange.use.status?.isCollapsed = true
        exchange.responder = .shared(description, record)
        return .next
    }
}

extension ProxyExchange {
    var wallMilliseconds: Int64 { Int64(service.loop.wallNanoseconds / 1_000_000) }

    /// Whether a trusted proxy says that the client asked for another host than `Host` says: then the response may depend on what
    /// is not in the key.
    var isAskedForAnotherHost: Bool {
        guard let peer = stream?.client.address, isTrusted(peer), let field = head.fields.first(.xForwardedHost) else {
            return false
        }
        let bytes = headBytes
        let scheme: URIScheme = isSecureForClient ? .https : .http
        return !Authority.areSame(
            bytes.extracting(field.valueRange), bytes.extracting(head.authorityRange), defaultPort: scheme.defaultPort)
    }

    /// The key, copied.
    var keptKey: CachedBody {
        if let key = use.key { return key }
        let scratch = service.keyScratch
        let key = CachedBody(scratch.readable)
        use.key = key
        return key
    }

    func newReader() -> ExchangeReader {
        use.reader?.detach()
        let reader = ExchangeReader(self)
        use.reader = reader
        return reader
    }

    /// Makes `use.id` that of the variant for this request. False when the request's fields are too long for one.
    func chooseVariant(_ names: Span<UInt8>, _ cache: ResponseCache) -> Bool {
        guard let variant = cache.variant(names, head, headBytes, forwardedFields, scratch: service.pathScratch)
        else { return false }
        use.id.variant = variant
        use.isVariant = true
        return true
    }

    /// The id under which a response with these names is stored, as seen from this request. Nil when it cannot be.
    func variantID(_ names: Span<UInt8>, _ cache: ResponseCache) -> ObjectID? {
        let before = (use.id, use.isVariant)
        defer { (use.id, use.isVariant) = before }
        return chooseVariant(names, cache) ? use.id : nil
    }

    /// Leaves the fill that the exchange follows or would, and has the upstream server asked for this request alone. The response is
    /// stored when no other is by then. What is stored already may still turn out to be valid, or be better than an error.
    func goAlone() -> StepOutcome {
        if use.reading != nil { use.status?.isCollapsed = false }
        stopWaiting()
        if let cache = service.cache { mayLeadLater(cache) }
        use.conditions = use.candidate == nil ? .asTheyCame : .validate
        responder = .upstream
        return .next
    }

    func stopWaiting() {
        use.wait?.cancel()
        use.wait = nil
        if let reader = use.reader {
            use.reading?.detach(reader)
            reader.detach()
        }
        use.reader = nil
        use.reading = nil
    }
}

extension CacheStatus {
    package init(_ outcome: Outcome, ttl: Int64? = nil, detail: StaticString? = nil) {
        self.init(outcome)
        self.ttl = ttl
        self.detail = detail
    }
}
