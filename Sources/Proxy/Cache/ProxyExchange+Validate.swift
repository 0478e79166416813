// SPDX-License-Identifier: Apache-2.0
// The answer to a validation, and what answers where none came: the stored response with new fields, a new one in its place,
// or the stored one although it is stale. And HEAD, whose answer tells of a stored GET.

import Bytes
import CachePolicy
import CacheStore
import Engine
import HTTP
import Serving
import Upstream

/// A stored response with the fields of an answer about it.
private struct Renewal {
    let metadata: CachedBody
    /// For the client whose request brought the answer: with the fields of it that are not stored.
    let answer: CachedBody
    let record: StoredRecord
    /// What replaces the stored one; nil when it may no longer be stored.
    let description: ObjectDescription?
    /// Why not.
    var refusal: StoreRefusal?
}

extension ProxyExchange {
    /// The head of the answer to a validation has come. True when the cache answers the client from here on.
    func validated(
        _ candidate: StoredResponse, _ connection: UpstreamConnection, _ cache: ResponseCache, _ request: CacheRequest
    ) -> Bool {
        guard let record = StoredRecord(candidate.head.record) else { return false }
        let status = connection.head.status
        switch ValidationOutcome.decide(record.policy, request.directives, now: wallMilliseconds, status: status) {
        case .freshen:
            freshen(candidate, record, connection, cache, request)
            return true
        case .serveStale(let age):
            use.status?.forwardStatus = status
            release(connection)
            endFailedValidation(record)
            serveStale(candidate, record, age: age)
            return true
        case .pass:
            use.leading?.refuse()
            use.leading = nil
            return false
        case .replace:
            guard use.leading != nil || use.later != nil else { return false }
            let fill = use.leading
            use.leading = nil
            use.candidate = nil
            switch store(fill, connection, cache, request) {
            case .stored: return true
            case .overtaken: return false
            case .tooLarge: if let fill { cache.store.forget(fill.id) }
            case .refused(let refusal):
                // What was stored is not what the origin has now. One whose own request is the reason cannot tell.
                if let fill, refusal.isOfResource, !request.isPersonal { cache.store.forget(fill.id) }
            }
            return false
        }
    }

    /// 304: the stored response gets the new fields, and answers.
    private func freshen(
        _ candidate: StoredResponse, _ record: StoredRecord, _ connection: UpstreamConnection, _ cache: ResponseCache,
        _ request: CacheRequest
    ) {
        let bytes = connection.headBytes
        let stored = candidate.head
        guard service.parseStoredHead(stored.metadata) else {
            cache.store.forget(use.id)
            askAnew(connection)
            return
        }
        // The conditions are those of the one that is stored.
        let asked = record.policy.flags.contains(.hasValidator) ? 1 : 0
        var freshening = Freshening(connection.head, bytes, asked: asked)
        freshening.offer(record.policy, service.storedHead, stored.metadata, bytes: bytes)
        guard freshening.selected != 0 else {
            // It is about something else than what is stored.
            askAnew(connection)
            return
        }
        use.status?.forwardStatus = 304
        use.word = "revalidated"
        let mayUpdate = Storing.mayUpdate(request, connection.head, bytes, rules(of: cache))
        let fill = use.leading ?? (mayUpdate && request.contribution == .ifPermitted ? leadNow(cache) : nil)
        use.leading = nil
        let tellsAge = connection.head.fields.first(.age) != nil
        let renewal = renew(candidate, record, connection, cache, request)
        release(connection)
        if mayUpdate, let description = renewal?.description {
            fill?.refresh(description, of: stored.version)
        } else {
            fill?.refuse()
            // What the origin forbids to keep goes, unless it may have said so to this client alone.
            if mayUpdate, renewal?.refusal?.isOfResource ?? true, !request.isPersonal { cache.store.forget(use.id) }
        }
        let policy = renewal?.record.policy ?? record.policy
        use.status?.ttl = policy.ttl(at: wallMilliseconds)
        let isServed = serve(
            candidate, renewed: renewal?.answer, renewal?.record ?? record, age: policy.age(at: wallMilliseconds),
            tellsAge: tellsAge)
        if !isServed { resume(dropUnreadable()) }
    }

    /// The stored response, whose head has been parsed, with the fields of the answer. Nil when they do not fit.
    private func renew(
        _ candidate: StoredResponse, _ record: StoredRecord, _ connection: UpstreamConnection, _ cache: ResponseCache,
        _ request: CacheRequest
    ) -> Renewal? {
        let stored = candidate.head
        let times = ExchangeTimes(request: use.requestTime, response: wallMilliseconds)
        let age = ResponseAge(connection.head, connection.headBytes, times)
        let rules = rules(of: cache)
        // What varies on other fields now is not where other requests would look for it.
        let varied = variedNames(service.storedHead, stored.metadata)
        let block = service.loop.largeBlocks.take()
        defer { service.loop.giveBack(block) }
        block.appendStatusLine(status: record.policy.status)
        let linesStart = block.count
        guard
            FieldMerge.write(
                service.storedHead, stored.metadata, connection.head, connection.headBytes, age: age, rules, to: block),
            block.free > 2
        else { return nil }
        let linesEnd = block.count
        block.appendLineEnd()
        let metadata = CachedBody(block.readable)
        block.truncate(to: linesEnd)
        guard
            FieldMerge.writeForClientAlone(
                service.storedHead, stored.metadata, connection.head, connection.headBytes, rules, to: block),
            block.free > 2
        else { return nil }
        var answer = metadata
        if block.count > linesEnd {
            block.appendLineEnd()
            answer = CachedBody(block.readable)
        }
        var renewed = StoredRecord(
            kind: .response, policy: record.policy, linesStart: linesStart,
            hasReplaced: record.hasReplaced || connection.head.fields.first(.xRequestID) != nil)
        guard service.parseStoredHead(metadata.bytes) else { return nil }
        renewed.coding = record.coding
        if record.coding.isGzip { renewed.coding.look(at: service.storedHead, metadata.bytes) }
        do throws(StoreRefusal) {
            let varies = variedNames(service.storedHead, metadata.bytes)
            guard varies.bytes.equals(varied.bytes) else { throw .varyAny }
            renewed.policy = try Storing.renew(
                record.policy, service.storedHead, metadata.bytes, times, age: age, rules,
                isSecure: connection.server.security != nil,
                wasAuthorized: request.present.contains(.authorization))
            guard let scopes = scopes(service.storedHead, metadata.bytes, cache) else { throw .tooManyTags }
            let description = ObjectDescription(
                metadata: metadata, record: renewed.packed, scopes: scopes, bodyLength: candidate.length)
            return Renewal(metadata: metadata, answer: answer, record: renewed, description: description)
        } catch {
            // The answer is this client's all the same, and young.
            renewed.policy.initialAge = age.initial
            renewed.policy.responseTime = times.response
            return Renewal(metadata: metadata, answer: answer, record: renewed, description: nil, refusal: error)
        }
    }

    /// The names of the fields that a stored response varies on.
    private func variedNames(_ response: borrowing ResponseHead, _ bytes: Span<UInt8>) -> CachedBody {
        let scratch = service.fieldScratch
        scratch.clear()
        VaryNames(response, bytes).write(bytes, to: scratch)
        return CachedBody(scratch.readable)
    }

    /// The request is made once more, without our conditions; its answer takes the place of what is stored.
    private func askAnew(_ connection: UpstreamConnection) {
        release(connection)
        use.candidate = nil
        use.conditions = use.leading == nil ? .asTheyCame : .fill
        needsFresh = false
        tried = TriedServers()
        resume(.next)
    }

    /// Nobody listens to the connection any more; it goes back to its pool once the response, whose body is empty or not
    /// wanted, is complete, if that is soon.
    private func release(_ connection: UpstreamConnection) {
        self.connection = nil
        isStreamingBody = false
        upstreamFinished = service.loop.nanoseconds
        connection.discardRest()
    }

    // MARK: Stale

    private func serveStale(_ stored: StoredResponse, _ record: StoredRecord, age: UInt32) {
        use.word = "stale"
        use.status?.ttl = record.policy.ttl(at: wallMilliseconds)
        use.status?.detail = "stale-if-error"
        if !serve(stored, record, age: age, tellsAge: true) { resume(dropUnreadable()) }
    }

    /// The upstream server could not be had: serves the stale response where that is allowed (RFC 5861 section 4). `status`:
    /// of the error that the client would get.
    func serveInsteadOfError(_ candidate: StoredResponse, status: UInt16) -> Bool {
        guard let request = use.request, let record = StoredRecord(candidate.head.record),
            case .serve(let age) = StaleIfError.decide(
                record.policy, request.directives, now: wallMilliseconds, status: status)
        else { return false }
        endFailedValidation(record)
        reason = ""
        serveStale(candidate, record, age: age)
        return true
    }

    /// Those who wait are served with what is stale too, where the response allows that to everybody, and ask for themselves
    /// where only this request does.
    private func endFailedValidation(_ record: StoredRecord) {
        guard let fill = use.leading else { return }
        use.leading = nil
        if case .serve = StaleIfError.decide(
            record.policy, RequestDirectives(), now: wallMilliseconds, status: StaleIfError.disconnected)
        {
            fill.fail()
        } else {
            fill.refuse()
        }
    }

    // MARK: HEAD

    /// The answer to a HEAD tells whether the stored response to GET is what the origin has (RFC 9111 section 4.3.5): then it
    /// gets the new fields, else it counts as stale.
    func updateByHead(
        _ candidate: StoredResponse, _ connection: UpstreamConnection, _ cache: ResponseCache, _ request: CacheRequest
    ) {
        let stored = candidate.head
        guard Storing.mayUpdate(request, connection.head, connection.headBytes, rules(of: cache)),
            let record = StoredRecord(stored.record), service.parseStoredHead(stored.metadata)
        else { return }
        let length = record.coding.isGzip ? record.coding.identityLength : UInt64(candidate.length)
        let description: ObjectDescription?
        switch HeadUpdate.decide(
            connection.head, connection.headBytes, service.storedHead, stored.metadata, length: length)
        {
        case .ignore: return
        // A client with a session may have been told of another page.
        case .expire where request.isPersonal: return
        case .expire:
            var expired = record
            expired.policy.expire()
            description = scopes(service.storedHead, stored.metadata, cache).map { scopes in
                ObjectDescription(
                    metadata: CachedBody(stored.metadata), record: expired.packed, scopes: scopes,
                    bodyLength: candidate.length)
            }
        case .update: description = renew(candidate, record, connection, cache, request)?.description
        }
        guard let description else {
            if !request.isPersonal { cache.store.forget(use.id) }
            return
        }
        lead(use.id, cache) { $0.refresh(description, of: stored.version) }
    }
}
