// SPDX-License-Identifier: Apache-2.0
// Between route and forward: is the answer stored, is somebody fetching it, or is it for this exchange to fetch?
//
//   consult ─▶ look ─▶ found ─▶ serve                           fresh, or stale and allowed
//                        │  └──▶ join ─▶ forward with conditions  to be validated
//                        └ open (a disk thread) ─▶ found
//              missed ─▶ join ─▶ forward                         the leader
//                          └───▶ pumpDownload                    who comes later

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving

extension ProxyExchange {
    var wallMilliseconds: Int64 { Int64(service.loop.wallNanoseconds / 1_000_000) }

    /// Answers from the cache, or forwards.
    func consultCache() {
        guard let cache = service.cache else {
            forward()
            return
        }
        if takesPurge(cache) { return }
        var request = CacheRequest(head, headBytes)
        // A certificate says who asks, as Authorization does, and the upstream server is told of it.
        if isIdentified { request.present.insert(.authorization) }
        use.request = request
        if route?.usesCache == false {
            pass(.bypass)
            return
        }
        if case .forward(let reason) = Lookup.decide(request) {
            pass(reason)
            return
        }
        let key = service.keyScratch
        key.clear()
        guard !isAskedForAnotherHost, CacheKey.write(isSecureForClient ? .https : .http, head, headBytes, to: key),
            key.count <= StoredHead.keyLimit
        else {
            pass(.bypass)
            return
        }
        use.id = cache.id(of: key.readable)
        look(cache)
    }

    private func pass(_ reason: ForwardReason) {
        if use.isRefresh {
            stream?.abort()
            return
        }
        if let request = use.request, request.method == .get || request.method == .head, Lookup.timesOut(request) {
            onlyIfCached()
            return
        }
        use.status = CacheStatus(.forward(reason))
        use.word = "bypass"
        forward()
    }

    /// Whether a trusted proxy says that the client asked at another host than `Host` says: then the answer may depend on what
    /// is not in the key.
    var isAskedForAnotherHost: Bool {
        guard let peer = stream?.peer, isTrusted(peer), let field = head.fields.first(.xForwardedHost) else {
            return false
        }
        let bytes = headBytes
        let scheme: URIScheme = isSecureForClient ? .https : .http
        return !Authority.areSame(
            bytes.extracting(field.valueRange), bytes.extracting(head.authorityRange), defaultPort: scheme.defaultPort)
    }

    /// Asks the store for `use.id`, whose key is in the scratch block or, later, in `use.key`.
    func look(_ cache: ResponseCache) {
        let answer: CacheAnswer
        if let key = use.key {
            answer = cache.store.look(use.id, key: key.bytes, now: service.loop.milliseconds)
        } else {
            let key = service.keyScratch
            answer = cache.store.look(use.id, key: key.readable, now: service.loop.milliseconds)
        }
        switch answer {
        case .object(let object): found(.object(object), cache)
        case .file(let file): found(.file(file), cache)
        case .miss: missed(cache)
        case .onDisk, .unknown:
            let reader = newReader()
            use.isReading = true
            if cache.store.open(use.id, key: keptKey, for: reader) {
                use.wait = WaitTimer(self, in: Self.diskPatience)
            } else {
                use.isReading = false
                missed(cache)
            }
        }
    }

    /// Milliseconds after which a disk that does not answer is done without.
    static let diskPatience = 5_000

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

    /// A disk thread has opened what there was.
    func objectOpened(_ opening: Opening) {
        guard let cache = service.cache, use.isReading else { return }
        use.isReading = false
        use.wait?.cancel()
        use.wait = nil
        switch opening {
        case .miss: missed(cache)
        case .object(let object): found(.object(object), cache)
        case .file(let file): found(.file(file), cache)
        }
    }

    private func found(_ stored: StoredResponse, _ cache: ResponseCache) {
        guard let request = use.request, let record = StoredRecord(stored.head.record) else {
            missed(cache)
            return
        }
        if record.kind == .vary {
            // One step only: a variant is a response.
            let names = stored.head
            guard !use.isVariant, chooseVariant(names.metadata, cache) else {
                pass(.varyMiss)
                return
            }
            look(cache)
            return
        }
        let now = wallMilliseconds
        let rules = cache.rules
        if use.isRefresh {
            // Another may have brought it up to date already.
            if case .fresh = Reuse.decide(record.policy, RequestDirectives(), now: now, rules) {
                stream?.abort()
                return
            }
            use.candidate = stored
            join(cache)
            return
        }
        let ttl = record.policy.ttl(at: now)
        switch Reuse.decide(record.policy, request.directives, now: now, rules) {
        case .fresh(let age):
            use.word = "hit"
            use.status = CacheStatus(.hit, ttl: ttl)
            serve(stored, record, age: age, tellsAge: true)
        case .stale(_, true) where request.contribution == .ifPermitted && !cache.store.isFilling(use.id):
            // What it brings is for others only when its answer says so, so it refreshes nothing in the background for them.
            validate(stored, .expired, request, cache)
        case .stale(let age, let refreshes):
            use.word = "stale"
            if refreshes, request.contribution == .everybody { refreshInBackground(cache) }
            use.status = CacheStatus(.hit, ttl: ttl)
            serve(stored, record, age: age, tellsAge: true)
        case .validate(let why): validate(stored, why, request, cache)
        case .gatewayTimeout: onlyIfCached()
        }
    }

    /// Has the upstream server asked about what is stored.
    private func validate(
        _ stored: StoredResponse, _ why: Reuse.Why, _ request: CacheRequest, _ cache: ResponseCache
    ) {
        use.candidate = stored
        use.status = CacheStatus(.forward(why.forward), detail: why.word)
        use.word = "miss"
        // What must be validated for each request is for the one who asked.
        if why != .expired { use.mayWait = false }
        switch request.contribution {
        case .everybody: join(cache)
        // It may use what another brings, but nobody waits for what it brings.
        case .ifPermitted where use.mayWait && cache.store.isFilling(use.id): join(cache)
        case .ifPermitted: forwardAlone()
        case .nothing:
            // What it answers may tell of what is stored.
            use.key = keptKey
            forward()
        }
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

    private func onlyIfCached() {
        // RFC 9111 section 5.2.1.7.
        reason = "only-if-cached"
        use.word = "miss"
        deliverError(504, "Only a stored response was asked for, and there is none that may be used.")
    }

    private func missed(_ cache: ResponseCache) {
        guard let request = use.request else { return }
        if use.isRefresh {
            stream?.abort()
            return
        }
        if Lookup.timesOut(request) {
            onlyIfCached()
            return
        }
        use.status = CacheStatus(.forward(use.isVariant ? .varyMiss : .uriMiss))
        use.word = "miss"
        // A part, or a HEAD, fills nothing that others could wait for.
        guard ForwardedConditions.onMiss(request) == .fill, !request.present.contains(.range) else {
            mayLeadLater(cache)
            forward()
            return
        }
        join(cache)
    }
}

extension CacheStatus {
    init(_ outcome: Outcome, ttl: Int64? = nil, detail: StaticString? = nil) {
        self.init(outcome)
        self.ttl = ttl
        self.detail = detail
    }
}
