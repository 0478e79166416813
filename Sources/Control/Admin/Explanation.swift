// SPDX-License-Identifier: Apache-2.0
// What is stored for a URL, and what the next request for it would do. The same pure functions decide as for a request;
// nothing is stored, validated or forwarded.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Proxy
import Serving
import Settings

/// An explanation on its way: from the request to the decision, with a disk to be asked in between.
struct Explanation {
    let request: ExplainedRequest
    let url: [UInt8]
    let cache: CacheRequest
    let key: CachedBody
    var id: ObjectID
    /// The fields that responses vary on, in a list, once they are known.
    var names: CachedBody?
    /// What was found for the request.
    var found: StoredResponse?
}

extension AdminExchange {
    /// Variants that are listed at most.
    private static let variantLimit = 100

    func explain(_ url: [UInt8]) throws(AdminCall.Problem) {
        let cache = try requireCache()
        let request = try ExplainedRequest(url, fieldsOf: self)
        let block = try key(of: request)
        let key = CachedBody(block.readable)
        explanation = Explanation(
            request: request, url: url, cache: CacheRequest(request.head, request.bytes), key: key,
            id: cache.id(of: key.bytes))
        look(cache)
    }

    private func look(_ cache: ResponseCache) {
        guard let explanation else { return }
        let key = explanation.key
        switch cache.store.look(explanation.id, key: key.bytes, now: service.loop.milliseconds) {
        case .object(let object): opened(.object(object))
        case .file(let file): opened(.file(file))
        case .miss: opened(.miss)
        case .onDisk, .unknown:
            let reader = AdminWait(self)
            wait = reader
            if !cache.store.open(explanation.id, key: key, for: reader) {
                refuseBusy()
            }
        }
    }

    private func refuseBusy() {
        var text = JSONText()
        text.object { $0.add("error", "The disk is too busy to look; ask again.") }
        answer(503, json: text)
    }

    /// What there is of `explanation.id` is known.
    func opened(_ opening: Opening) {
        wait = nil
        guard let cache = service.cache, let explanation else { return }
        switch opening {
        case .miss: break
        case .object(let object): self.explanation?.found = .object(object)
        case .file(let file): self.explanation?.found = .file(file)
        }
        if let found = self.explanation?.found, explanation.names == nil,
            StoredRecord(found.head.record)?.kind == .vary
        {
            let names = CachedBody(found.head.metadata)
            self.explanation?.names = names
            self.explanation?.found = nil
            let scratch = Block(capacity: 64 << 10)
            if let variant = cache.variant(
                names.bytes, explanation.request.head, explanation.request.bytes, forwardedFields(of: explanation),
                scratch: scratch)
            {
                self.explanation?.id.variant = variant
                look(cache)
                return
            }
        }
        tell(cache)
    }

    /// Which fields an upstream server would get of it, from a client that is nobody's proxy.
    private func forwardedFields(of explanation: Explanation) -> ForwardedFields {
        let request = explanation.request
        var route: CompiledRoute?
        let match = service.snapshot.routes.match(request.head, request.bytes, scratch: Block(capacity: 65 << 10))
        if case .route(let found) = match { route = found }
        return ForwardedFields(isTrusted: false, proof: .none, route: route)
    }

    private func tell(_ cache: ResponseCache) {
        guard let explanation else { return }
        let now = Int64(service.loop.wallNanoseconds / 1_000_000)
        var text = JSONText()
        text.object { text in
            text.add("url", explanation.url.span)
            tellKey(explanation, &text)
            if let names = explanation.names { text.add("vary", names.bytes) }
            tellVariants(explanation, cache, now, &text)
            text.add("downloading", cache.store.isFilling(explanation.id))
            tellNext(explanation, cache, now, &text)
        }
        answer(200, json: text)
    }

    private func tellKey(_ explanation: Explanation, _ text: inout JSONText) {
        let key = explanation.key
        guard let parts = CacheKeyParts(key.bytes) else { return }
        text.object("key") { text in
            text.add("scheme", parts.scheme == .https ? "https" : "http")
            text.add("host", key.bytes.extracting(parts.hostRange))
            text.add("port", parts.port)
            text.add("path", key.bytes.extracting(parts.pathRange))
            if let query = parts.queryRange { text.add("query", key.bytes.extracting(query)) }
        }
    }

    // MARK: What is stored

    private func tellVariants(
        _ explanation: Explanation, _ cache: ResponseCache, _ now: Int64, _ text: inout JSONText
    ) {
        let all = cache.store.variants(of: explanation.id.key)
        let responses = all.compactMap { entry in
            StoredRecord(entry.record).map { (entry.id, $0, entry.bytes) }
        }.filter { $0.1.kind == .response }.sorted { $0.1.policy.isMoreRecent(than: $1.1.policy) }
        text.add("variants", responses.count)
        text.array("stored") { text in
            for (id, record, bytes) in responses.prefix(Self.variantLimit) {
                text.object { text in
                    let isSelected = id == explanation.id && explanation.found != nil
                    text.add("selected", isSelected)
                    tellPolicy(record, now, &text)
                    text.add("disk_bytes", bytes)
                    if isSelected, let found = explanation.found { tellObject(found, record, &text) }
                }
            }
        }
    }

    private func tellPolicy(_ record: StoredRecord, _ now: Int64, _ text: inout JSONText) {
        let policy = record.policy
        let ttl = policy.ttl(at: now)
        text.add("status", policy.status)
        text.add("age", policy.age(at: now))
        text.add("lifetime", policy.lifetime)
        text.add("ttl", ttl)
        text.add("fresh", ttl > 0 && !policy.flags.contains(.noCache))
        if policy.flags.contains(.isHeuristic) { text.add("heuristic", true) }
        if policy.flags.contains(.noCache) { text.add("no_cache", true) }
        if policy.flags.contains(.forbidsStale) { text.add("must_revalidate", true) }
        if policy.flags.contains(.immutable) { text.add("immutable", true) }
        text.add("has_validator", policy.flags.contains(.hasValidator))
        if policy.staleWhileRevalidate > 0 { text.add("stale_while_revalidate", policy.staleWhileRevalidate) }
        if policy.staleIfError > 0 { text.add("stale_if_error", policy.staleIfError) }
        if record.coding.isGzip { text.add("compressed_here", "gzip") }
    }

    private func tellObject(_ found: StoredResponse, _ record: StoredRecord, _ text: inout JSONText) {
        switch found {
        case .object: text.add("held", "memory")
        case .file: text.add("held", "disk")
        }
        text.add("body_bytes", found.length)
        text.array("fields") { text in
            let metadata = found.head.metadata
            guard metadata.count >= record.linesStart + 2 else { return }
            var start = record.linesStart
            while start < metadata.count - 2, let end = metadata.firstIndex(of: 0x0D, from: start) {
                text.add("", metadata.extracting(start..<end))
                start = end + 2
            }
        }
    }

    // MARK: What comes next

    private func tellNext(_ explanation: Explanation, _ cache: ResponseCache, _ now: Int64, _ text: inout JSONText) {
        let next = next(explanation, cache, now)
        text.object("next") { text in
            text.add("does", "\(next.does)")
            text.add("why", "\(next.why)")
            guard let status = next.status else { return }
            let block = Block(capacity: 2 * CacheStatus.limit)
            status.append(to: block)
            text.add("cache_status", block.readable)
        }
    }

    private typealias Next = (does: StaticString, why: StaticString, status: CacheStatus?)

    private func next(_ explanation: Explanation, _ cache: ResponseCache, _ now: Int64) -> Next {
        var rules = cache.rules
        switch service.snapshot.routes.match(
            explanation.request.head, explanation.request.bytes, scratch: Block(capacity: 65 << 10))
        {
        case .badPath: return ("refuse", "its path climbs above its root, or its percent-encoding is broken", nil)
        case .ambiguousPath:
            return (
                "refuse",
                "servers would read its path in different ways: it hides dot segments, or begins like another host's URL",
                nil
            )
        case .none: return ("refuse", "no route matches it", nil)
        case .route(let route):
            guard case .pool = route.action else { return ("answer", "its route answers by itself", nil) }
            guard route.usesCache else {
                return ("forward", "its route does not use the cache", CacheStatus(.forward(.bypass)))
            }
            rules = route.rules(from: rules)
        }
        if case .forward(let reason) = Lookup.decide(explanation.cache) {
            return ("forward", "the request itself may not be answered from a cache", CacheStatus(.forward(reason)))
        }
        guard let found = explanation.found, let record = StoredRecord(found.head.record) else {
            return missing(explanation, cache)
        }
        return use(of: record, explanation, rules, now)
    }

    private func missing(_ explanation: Explanation, _ cache: ResponseCache) -> Next {
        if Lookup.timesOut(explanation.cache) {
            return ("refuse", "only a stored response is wanted (only-if-cached), and there is none: 504", nil)
        }
        let status = CacheStatus(.forward(explanation.names == nil ? .uriMiss : .varyMiss))
        if cache.store.isFilling(explanation.id) {
            return ("wait", "another request is fetching it, and this one would be answered from that", status)
        }
        return explanation.names == nil
            ? ("forward", "nothing is stored for it", status)
            : ("forward", "what is stored is for requests with other fields (Vary)", status)
    }

    private func use(of record: StoredRecord, _ explanation: Explanation, _ rules: CacheRules, _ now: Int64) -> Next {
        let ttl = record.policy.ttl(at: now)
        switch Reuse.decide(record.policy, explanation.cache.directives, now: now, rules) {
        case .fresh: return ("hit", "it is fresh", CacheStatus(.hit, ttl: ttl))
        case .stale(_, let refreshes):
            return refreshes
                ? (
                    "hit", "it is stale and may be served so, while it is validated in the background",
                    CacheStatus(.hit, ttl: ttl)
                )
                : ("hit", "it is stale, and the request takes that", CacheStatus(.hit, ttl: ttl))
        case .validate(let why):
            return ("validate", Self.sentence(why), CacheStatus(.forward(why.forward), detail: why.word))
        case .gatewayTimeout: return ("refuse", "only a stored response is wanted, and it may not be used: 504", nil)
        }
    }

    private static func sentence(_ why: Reuse.Why) -> StaticString {
        switch why {
        case .expired: "its lifetime is over"
        case .responseNoCache: "the response says no-cache, or it was invalidated"
        case .requestNoCache: "the request says no-cache"
        case .requestMaxAge: "it is older than the request's max-age"
        case .requestMinFresh: "it stays fresh for less than the request's min-fresh"
        }
    }
}
