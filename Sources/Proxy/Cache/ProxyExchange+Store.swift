// SPDX-License-Identifier: Apache-2.0
// A response from an upstream server on its way through the cache: may it be stored, does it say that what is stored is still
// valid, does it make something invalid?

import Bytes
import CachePolicy
import CacheStore
import ContentCoding
import Engine
import HTTP
import Serving
import Upstream

extension ProxyExchange {
    /// The head of the upstream server's response has come. True when the cache answers the client from here on.
    func cacheTakes(_ connection: UpstreamConnection) -> Bool {
        guard let cache = service.cache, let request = use.request else { return false }
        let status = connection.head.status
        if Invalidation.applies(head.method, status: status) { invalidate(connection, cache) }
        guard status != 101 else { return false }
        use.status?.forwardStatus = nil
        if let candidate = use.candidate, use.conditions == .validate {
            return validated(candidate, connection, cache, request)
        }
        guard let fill = use.leading else { return false }
        use.leading = nil
        return store(fill, connection, cache, request)
    }

    // MARK: Storing

    /// Begins to store, and reads the response back from the download, as others may do.
    private func store(
        _ fill: Fill, _ connection: UpstreamConnection, _ cache: ResponseCache, _ request: CacheRequest
    ) -> Bool {
        let times = ExchangeTimes(request: use.requestTime, response: wallMilliseconds)
        let bytes = connection.headBytes
        let rules = cache.rules
        let policy: ResponsePolicy
        do throws(StoreRefusal) {
            policy = try Storing.decide(
                request, connection.head, bytes, times, rules, isSecure: connection.server.security != nil)
            // Parts are delivered, and not stored.
            guard policy.status != 206 else { throw .badPartial }
        } catch {
            use.status?.detail = error.word
            fill.refuse()
            return false
        }
        let age = ResponseAge(connection.head, bytes, times)
        let encoder = encoderForStoring(connection, policy)
        guard let (description, names) = describe(connection, policy, age, rules, cache, isCoded: encoder != nil),
            let target = choose(fill, names, cache), let reader = use.reader
        else {
            if let encoder { service.codings.give(encoder) }
            use.status?.detail = "too-large"
            fill.refuse()
            return false
        }
        target.begin(description)
        use.status?.isStored = true
        use.reading = target
        self.connection = nil
        upstreamFinished = service.loop.nanoseconds
        isStreamingBody = false
        let encoding = encoding(with: encoder, of: description, into: target, connection, reader)
        connection.handOver(to: CacheDownload(target, connection, leader: reader, encoding: encoding))
        pumpDownload()
        return true
    }

    /// What is stored: the head as text, with the policy. Nil when it does not fit.
    private func describe(
        _ connection: UpstreamConnection, _ policy: ResponsePolicy, _ age: ResponseAge, _ rules: CacheRules,
        _ cache: ResponseCache, isCoded: Bool
    ) -> (ObjectDescription, names: CachedBody?)? {
        let bytes = connection.headBytes
        let block = service.loop.largeBlocks.take()
        defer { service.loop.giveBack(block) }
        block.appendStatusLine(status: policy.status)
        let linesStart = block.count
        guard StoredFields.write(connection.head, bytes, age: age, rules, to: block), block.free >= 2 else {
            return nil
        }
        block.appendLineEnd()
        let metadata = CachedBody(block.readable)
        block.clear()
        let varies = VaryNames(connection.head, bytes)
        varies.write(bytes, to: block)
        let names = block.isEmpty ? nil : CachedBody(block.readable)
        guard let scopes = scopes(of: connection, cache) else { return nil }
        var length: Int?
        switch connection.head.framing {
        case .none: length = 0
        case .length(let count): length = Int(clamping: count)
        case .chunked, .untilClose: length = nil
        }
        var record = StoredRecord(
            kind: .response, policy: policy, linesStart: linesStart,
            hasReplaced: connection.head.fields.first(.xRequestID) != nil)
        if isCoded {
            record.coding = StoredCoding(gzip: length.map { UInt64($0) })
            length = nil
            guard service.parseStoredHead(metadata.bytes) else { return nil }
            record.coding.look(at: service.storedHead, metadata.bytes)
        }
        return (
            ObjectDescription(metadata: metadata, record: record.packed, scopes: scopes, bodyLength: length), names
        )
    }

    private func scopes(of connection: UpstreamConnection, _ cache: ResponseCache) -> [CacheScope]? {
        guard let key = use.key, let tags = ResponseTags(connection.head, connection.headBytes, cache.secret) else {
            return nil
        }
        var scopes = [
            CacheScope(.url, key.bytes),
            CacheScope(.host, headBytes.extracting(head.authorityRange)),
        ]
        for position in 0..<tags.count {
            let tag = withUnsafeBytes(of: tags[position].bigEndian) { Array($0) }
            scopes.append(CacheScope(.tag, tag.span))
        }
        return scopes
    }

    /// The download under whose name the response is stored. That of the request unless the response varies on other fields
    /// than was known: then what waits for the former is told so, or let go.
    private func choose(_ fill: Fill, _ names: CachedBody?, _ cache: ResponseCache) -> Fill? {
        guard let key = use.key else { return nil }
        let primary = ObjectID(key: use.id.key)
        var wanted = primary
        if let names {
            guard let variant = variantID(names.bytes, cache) else { return nil }
            wanted = variant
        }
        guard wanted != fill.id else { return fill }
        let reader = ExchangeReader(self)
        guard case .lead(let target) = cache.store.join(wanted, key: key, as: reader) else {
            reader.detach()
            return nil
        }
        use.reader?.detach()
        use.reader = reader
        if let names {
            let marker = ObjectDescription(
                metadata: names,
                record: StoredRecord(kind: .vary, policy: ResponsePolicy(), linesStart: 0).packed,
                scopes: [
                    CacheScope(.url, key.bytes), CacheScope(.host, headBytes.extracting(head.authorityRange)),
                ], bodyLength: 0)
            if fill.id == primary {
                fill.begin(marker)
                fill.complete()
            } else {
                fill.refuse()
                if case .lead(let first) = cache.store.join(primary, key: key, as: ExchangeReader(self)) {
                    first.begin(marker)
                    first.complete()
                }
            }
        } else {
            fill.refuse()
        }
        use.id = wanted
        return target
    }

    // MARK: Validating

    private func validated(
        _ candidate: StoredResponse, _ connection: UpstreamConnection, _ cache: ResponseCache, _ request: CacheRequest
    ) -> Bool {
        guard let record = StoredRecord(candidate.head.record) else { return false }
        let status = connection.head.status
        use.status?.forwardStatus = status
        switch ValidationOutcome.decide(record.policy, request.directives, now: wallMilliseconds, status: status) {
        case .freshen: return freshen(candidate, record, connection, cache)
        case .serveStale(let age):
            release(connection)
            use.leading?.refuse()
            use.leading = nil
            serveStale(candidate, record, age: age)
            return true
        case .pass:
            use.leading?.refuse()
            use.leading = nil
            return false
        case .replace:
            guard let fill = use.leading else { return false }
            use.leading = nil
            use.candidate = nil
            if store(fill, connection, cache, request) { return true }
            // What was stored is not what the origin has now.
            cache.store.forget(fill.id)
            return false
        }
    }

    /// 304: the stored response gets the new fields, and answers.
    private func freshen(
        _ candidate: StoredResponse, _ record: StoredRecord, _ connection: UpstreamConnection, _ cache: ResponseCache
    ) -> Bool {
        let bytes = connection.headBytes
        let fill = use.leading
        use.leading = nil
        let stored = candidate.head
        guard service.parseStoredHead(stored.metadata) else { return false }
        var freshening = Freshening(connection.head, bytes)
        freshening.offer(record.policy, service.storedHead, stored.metadata, bytes: bytes)
        guard freshening.selected != 0 else {
            // It is about something else than what is stored: asked again, without conditions.
            fill?.refuse()
            release(connection)
            use.candidate = nil
            use.conditions = .fill
            needsFresh = false
            tried = TriedServers()
            forward()
            return true
        }
        let times = ExchangeTimes(request: use.requestTime, response: wallMilliseconds)
        let age = ResponseAge(connection.head, bytes, times)
        let rules = cache.rules
        let block = service.loop.largeBlocks.take()
        defer { service.loop.giveBack(block) }
        block.appendStatusLine(status: record.policy.status)
        let linesStart = block.count
        guard
            FieldMerge.write(
                service.storedHead, stored.metadata, connection.head, bytes, age: age, rules, to: block),
            block.free >= 2
        else {
            fill?.refuse()
            release(connection)
            serveStale(candidate, record, age: record.policy.age(at: wallMilliseconds))
            return true
        }
        block.appendLineEnd()
        let metadata = CachedBody(block.readable)
        var renewed = StoredRecord(
            kind: .response, policy: record.policy, linesStart: linesStart,
            hasReplaced: record.hasReplaced || connection.head.fields.first(.xRequestID) != nil)
        renewed.coding = record.coding
        do throws(StoreRefusal) {
            guard service.parseStoredHead(metadata.bytes) else { throw .notUnderstood }
            if record.coding.isGzip { renewed.coding.look(at: service.storedHead, metadata.bytes) }
            renewed.policy = try Storing.renew(
                record.policy, service.storedHead, metadata.bytes, times, age: age, rules,
                isSecure: connection.server.security != nil)
            let description = ObjectDescription(
                metadata: metadata, record: renewed.packed, scopes: scopes(of: connection, cache) ?? [],
                bodyLength: candidate.length)
            fill?.refresh(description)
        } catch {
            fill?.refuse()
            cache.store.forget(use.id)
        }
        release(connection)
        use.status?.ttl = renewed.policy.ttl(at: wallMilliseconds)
        use.word = "revalidated"
        serve(candidate, renewed: metadata, renewed, age: renewed.policy.age(at: wallMilliseconds))
        return true
    }

    /// Nobody listens to the connection any more; it goes back to its pool once the response, whose body is empty or not
    /// wanted, is complete.
    private func release(_ connection: UpstreamConnection) {
        self.connection = nil
        isStreamingBody = false
        upstreamFinished = service.loop.nanoseconds
        connection.handOver(to: Attempt())
    }

    private func serveStale(_ stored: StoredResponse, _ record: StoredRecord, age: UInt32) {
        use.word = "stale"
        var status = CacheStatus(.hit, ttl: record.policy.ttl(at: wallMilliseconds))
        status.detail = "stale-if-error"
        use.status = status
        serve(stored, record, age: age)
    }

    /// The upstream server could not be had: serves the stale response where that is allowed (RFC 5861 section 4). `status`:
    /// of the error that the client would get.
    func serveInsteadOfError(_ candidate: StoredResponse, status: UInt16) -> Bool {
        guard let request = use.request, let record = StoredRecord(candidate.head.record),
            case .serve(let age) = StaleIfError.decide(
                record.policy, request.directives, now: wallMilliseconds, status: status)
        else { return false }
        use.leading?.refuse()
        use.leading = nil
        reason = ""
        serveStale(candidate, record, age: age)
        return true
    }

    /// Brings a stale response up to date while its client has it already.
    func refreshInBackground() {
        guard let stream else { return }
        let detached = DetachedStream(repeating: self, of: stream)
        guard let exchange = detached.pending as? ProxyExchange else { return }
        exchange.use.isRefresh = true
        detached.start()
    }

    // MARK: Invalidating

    /// RFC 9111 section 4.4: the target of an unsafe request, and what the response names of the same origin.
    private func invalidate(_ connection: UpstreamConnection, _ cache: ResponseCache) {
        let key = service.keyScratch
        let scheme: URIScheme = isSecureForClient ? .https : .http
        key.clear()
        if CacheKey.write(scheme, head, headBytes, to: key) { invalidate(key.readable, cache) }
        let bytes = connection.headBytes
        for name in [FieldName.location, .contentLocation] {
            guard let field = connection.head.fields.first(name) else { continue }
            key.clear()
            let scratch = service.pathScratch
            scratch.clear()
            if Invalidation.writeKey(
                bytes.extracting(field.valueRange), scheme, head, headBytes, scratch: scratch, to: key)
            {
                invalidate(key.readable, cache)
            }
        }
    }

    private func invalidate(_ key: Span<UInt8>, _ cache: ResponseCache) {
        let hash = cache.secret.hash(key)
        let id = ObjectID(key: CacheHash(high: hash.high, low: hash.low))
        // Nothing is written down for what was never stored.
        if case .miss = cache.store.look(id, key: key, now: service.loop.milliseconds) { return }
        cache.store.purge(CacheScope(.url, key))
    }
}
