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
        if let candidate = use.candidate {
            if use.conditions == .validate { return validated(candidate, connection, cache, request) }
            if head.method == .head { updateByHead(candidate, connection, cache, request) }
        }
        guard use.leading != nil || use.later != nil else { return false }
        let fill = use.leading
        use.leading = nil
        return store(fill, connection, cache, request).isStored
    }

    // MARK: Storing

    /// What became of a response that was to be stored.
    enum Storage {
        case stored
        /// It may not be stored.
        case refused(StoreRefusal)
        /// It does not fit.
        case tooLarge
        /// Another of the same name is on its way, or its resource has changed since it was asked for.
        case overtaken

        var isStored: Bool { if case .stored = self { true } else { false } }
    }

    /// Begins to store, and reads the response back from the download, as others may do. `leading`: the download that the request
    /// has led from the start, if it has.
    func store(
        _ leading: Fill?, _ connection: UpstreamConnection, _ cache: ResponseCache, _ request: CacheRequest
    ) -> Storage {
        let times = ExchangeTimes(request: use.requestTime, response: wallMilliseconds)
        let bytes = connection.headBytes
        let rules = rules(of: cache)
        let policy: ResponsePolicy
        do throws(StoreRefusal) {
            policy = try Storing.decide(
                request, connection.head, bytes, times, rules, isSecure: connection.server.security != nil)
            // Parts are delivered, and not stored.
            guard policy.status != 206 else { throw .badPartial }
            guard !variesOnClient(connection) else { throw .varyAny }
        } catch {
            use.status?.detail = error.word
            // What was refused for the request's own sake is no reason for others not to wait.
            if request.contribution == .everybody {
                service.refusals.insert(
                    use.id, hadCookie: request.present.contains(.cookie), at: service.loop.milliseconds)
            }
            leading?.refuse()
            return .refused(error)
        }
        let age = ResponseAge(connection.head, bytes, times)
        let encoder = encoderForStoring(connection, policy)
        guard let (description, names) = describe(connection, policy, age, rules, cache, isCoded: encoder != nil),
            description.fits, connection.head.contentLength ?? 0 <= UInt64(cache.largestBody)
        else {
            // As it comes, with the client's own pace.
            if let encoder { service.codings.give(encoder) }
            use.status?.detail = "too-large"
            leading?.refuse()
            return .tooLarge
        }
        guard let fill = leading ?? leadNow(cache) else {
            if let encoder { service.codings.give(encoder) }
            return .overtaken
        }
        guard let record = StoredRecord(description.record), let target = choose(fill, names, cache),
            let reader = use.reader
        else {
            if let encoder { service.codings.give(encoder) }
            use.status?.detail = "collapsed"
            fill.refuse()
            return .overtaken
        }
        target.begin(description)
        // The head is taken from the connection.
        guard case .head = target.next(reader, registers: false) else {
            if let encoder { service.codings.give(encoder) }
            target.fail()
            return .overtaken
        }
        use.status?.isStored = true
        service.refusals.remove(fill.id)
        use.reading = target
        self.connection = nil
        upstreamFinished = service.loop.nanoseconds
        isStreamingBody = false
        let encoding = encoding(with: encoder, record, into: target, connection, reader)
        connection.handOver(to: CacheDownload(target, connection, leader: reader, encoding: encoding))
        serveFirst(description, record, connection)
        resume(pumpFill())
        return .stored
    }

    /// Whether a response varies on what this gateway itself tells of the client: no field of another request says whether it
    /// would get the same.
    private func variesOnClient(_ connection: UpstreamConnection) -> Bool {
        let scratch = service.fieldScratch
        scratch.clear()
        VaryNames(connection.head, connection.headBytes).write(connection.headBytes, to: scratch)
        let names = scratch.readable
        var start = 0
        while start < names.count {
            let end = names.firstIndex(of: UInt8(ascii: ","), from: start) ?? names.count
            let name = names.extracting(start..<end)
            if name.equals("x-forwarded-for") || name.equals("forwarded") || name.equals("x-client-cert-subject")
                || name.equals("x-request-id") || name.equals("te")
            {
                return true
            }
            start = end + 1
        }
        return false
    }

    /// The rules for this exchange's route.
    func rules(of cache: ResponseCache) -> CacheRules {
        route?.rules(from: cache.rules) ?? cache.rules
    }

    /// What is stored: the head as text, with the policy. Nil when it does not fit.
    private func describe(
        _ connection: UpstreamConnection, _ policy: ResponsePolicy, _ age: ResponseAge, _ rules: CacheRules,
        _ cache: ResponseCache, isCoded: Bool
    ) -> (ObjectDescription, names: CachedBody?)? {
        let bytes = connection.headBytes
        // With a Date of ours it has to be read again.
        guard connection.head.fields.count < FieldTable.capacity else { return nil }
        let block = service.loop.largeBlocks.take()
        defer { service.loop.giveBack(block) }
        block.appendStatusLine(status: policy.status)
        let linesStart = block.count
        guard StoredFields.write(connection.head, bytes, age: age, rules, to: block), block.free > 2 else { return nil }
        block.appendLineEnd()
        let metadata = CachedBody(block.readable)
        block.clear()
        let varies = VaryNames(connection.head, bytes)
        varies.write(bytes, to: block)
        let names = block.isEmpty ? nil : CachedBody(block.readable)
        guard let scopes = scopes(connection.head, bytes, cache) else { return nil }
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

    /// What a purge may find a response by. Nil when that is too much.
    func scopes(_ response: borrowing ResponseHead, _ bytes: Span<UInt8>, _ cache: ResponseCache) -> [CacheScope]? {
        guard let key = use.key, let tags = ResponseTags(response, bytes, cache.secret) else { return nil }
        var scopes = CacheScopes.of(key: key.bytes)
        for position in 0..<tags.count { scopes.append(CacheScopes.tag(tags[position])) }
        return scopes
    }

    /// The download under whose name the response is stored. That of the request unless the response varies on other fields
    /// than was known: then what waits for the former is told so, or let go.
    ///
    /// A response without Vary where others vary is for requests with the same fields only: many servers leave Vary out of some
    /// answers, and what one odd request got would be everybody's (RFC 9111 section 4.1 prefers those with Vary).
    private func choose(_ fill: Fill, _ names: CachedBody?, _ cache: ResponseCache) -> Fill? {
        guard let key = use.key else { return nil }
        let primary = ObjectID(key: use.id.key)
        var wanted = primary
        if let names {
            guard let variant = variantID(names.bytes, cache) else { return nil }
            wanted = variant
        } else if use.isVariant {
            wanted = fill.id
        }
        guard wanted != fill.id else { return fill }
        let reader = ExchangeReader(self)
        let target: Fill
        // The response was asked for when the first began: a purge since then is of it, too.
        let joined = cache.store.join(wanted, key: key, as: reader, after: fill) {
            CacheScopes.of(key: key.bytes)
        }
        switch joined {
        case .lead(let new): target = new
        case .follow(let other):
            other.detach(reader)
            reader.detach()
            return nil
        case .alone:
            reader.detach()
            return nil
        }
        use.reader?.detach()
        use.reader = reader
        if let names {
            let marker = ObjectDescription(
                metadata: names,
                record: StoredRecord(kind: .vary, policy: ResponsePolicy(), linesStart: 0).packed,
                scopes: CacheScopes.of(key: key.bytes), bodyLength: 0)
            if fill.id == primary {
                fill.begin(marker)
                fill.complete()
            } else {
                fill.refuse()
                lead(primary, cache, after: fill) { first in
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

    /// Has `body` end a download that this exchange begins and does not read, unless somebody else has begun it. `first`: the
    /// download which brought what is to be stored.
    func lead(_ id: ObjectID, _ cache: ResponseCache, after first: Fill? = nil, _ body: (Fill) -> Void) {
        let reader = ExchangeReader(self)
        reader.detach()
        let key = keptKey
        let joined = cache.store.join(id, key: key, as: reader, after: first) {
            CacheScopes.of(key: key.bytes)
        }
        switch joined {
        case .lead(let fill): body(fill)
        case .follow(let other): other.detach(reader)
        case .alone: break
        }
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
        let id = cache.id(of: key)
        cache.changes.note(id)
        // What is being downloaded may be from before the change. Nothing is done about what was never stored; until it is known what
        // is, a disk thread looks.
        if !cache.store.isFilling(id.key), case .miss = cache.store.look(id, key: key, now: service.loop.milliseconds) {
            return
        }
        guard let host = CacheScopes.host(of: key) else { return }
        cache.store.invalidate(id.key, url: CacheScope(.url, key), in: host)
    }
}
