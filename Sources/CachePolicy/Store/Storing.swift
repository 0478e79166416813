// SPDX-License-Identifier: Apache-2.0
// May this response be stored? RFC 9111 §3, clause by clause; what is stricter than the RFC says so.

public import HTTP
internal import Bytes

/// The decisions about storing.
public enum Storing {
    /// The policy to store the response with, or why it is not stored. `isSecure`: whether it came over TLS.
    ///
    /// Whether all of its content comes, only its end shows: `StoredContent`.
    public static func decide(
        _ request: CacheRequest, _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ times: ExchangeTimes,
        _ rules: CacheRules, isSecure: Bool
    ) throws(StoreRefusal) -> ResponsePolicy {
        // "the request method is understood by the cache": GET. What HEAD says updates a stored GET (§4.3.5).
        guard request.method == .get else { throw .method }
        if let refusal = request.refusal { throw refusal }
        if head.status == 206 {
            guard request.present.contains(.range) else { throw .unaskedPartial }
        }
        let origin = Origin(
            wasAuthorized: request.present.contains(.authorization), isSecure: isSecure,
            endIsSure: head.framing != .untilClose)
        return try decide(head, bytes, times, rules, origin)
    }

    /// Whether the fields of an answer about what is stored, a 304 or a 200 to HEAD, may be stored: what may not be stored
    /// may not update either, for the same reasons. It is judged by this request and by what this answer says itself (a 304
    /// has the Cache-Control that a 200 would have had, RFC 9110 §15.4.5), not by what is stored: whatever that says was said
    /// to somebody else.
    ///
    /// Whether what is stored may be kept at all is for `renew` to say.
    public static func mayUpdate(
        _ request: CacheRequest, _ answer: borrowing ResponseHead, _ bytes: Span<UInt8>, _ rules: CacheRules
    ) -> Bool {
        guard request.method == .get || request.method == .head, request.refusal == nil else { return false }
        guard rules.isShared else { return true }
        if rules.setCookie == .refuse, answer.fields.first(.setCookie) != nil { return false }
        guard request.present.contains(.authorization) else { return true }
        return permitsAuthorization(ResponseDirectives(answer, bytes, rules))
    }

    /// The policy of a stored response whose fields were updated (`FieldMerge`), or why it may no longer be kept: what
    /// the 304 says may forbid what the response before it allowed. `times` are those of the validation. `wasAuthorized`:
    /// whether its request had an Authorization field.
    public static func renew(
        _ policy: ResponsePolicy, _ merged: borrowing ResponseHead, _ bytes: Span<UInt8>, _ times: ExchangeTimes,
        age: ResponseAge, _ rules: CacheRules, isSecure: Bool, wasAuthorized: Bool = false
    ) throws(StoreRefusal) -> ResponsePolicy {
        // How its content ended is not among the stored fields either; what was immutable may stay so.
        let origin = Origin(
            wasAuthorized: wasAuthorized || policy.flags.contains(.wasAuthorized), isSecure: isSecure,
            endIsSure: policy.flags.contains(.immutable))
        var renewed = try decide(merged, bytes, times, rules, origin)
        // The Age of the validation is not among the stored fields.
        renewed.initialAge = age.initial
        renewed.date = age.date
        if policy.flags.contains(.isPartial) { renewed.flags.insert(.isPartial) }
        return renewed
    }

    /// What is not in the response's fields.
    private struct Origin {
        /// The request had an Authorization field.
        var wasAuthorized: Bool
        /// It came over TLS.
        var isSecure: Bool
        /// The end of the content was that of its framing, not of the connection.
        var endIsSure: Bool
    }

    private static func decide(
        _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ times: ExchangeTimes, _ rules: CacheRules,
        _ origin: Origin
    ) throws(StoreRefusal) -> ResponsePolicy {
        let status = head.status
        let directives = ResponseDirectives(head, bytes, rules)
        // "the response status code is final".
        guard status >= 200 else { throw .notFinal }
        guard StatusClass.isValid(status) else { throw .invalidStatus }
        guard !StatusClass.isOfRequest(status) else { throw .ofThisRequest }
        try checkDirectives(directives, status, rules, origin.wasAuthorized)
        // §7.3: "the Set-Cookie response header field does not inhibit caching". Stricter: a response that sets a cookie is
        // made for one user, `public` or not; to store it is the operator's choice.
        if rules.isShared, rules.setCookie == .refuse, head.fields.first(.setCookie) != nil { throw .cookie }
        try checkVary(head, bytes)
        if status == 206 { try checkPartial(head, bytes) }

        let isMarked =
            directives.flags.contains(.isPublic) || (!rules.isShared && directives.flags.contains(.isPrivate))
        let isHeuristic = StatusClass.isHeuristicallyCacheable(status)
        let age = ResponseAge(head, bytes, times)
        // §4.2.2: "heuristics can only be used on responses without explicit freshness whose status codes are defined
        // as heuristically cacheable … and on responses … marked as explicitly cacheable (e.g., with a public response
        // directive)". Stricter: errors beyond the RFC's list have to name a lifetime, `public` or not, so that an
        // error that one odd request provoked is not everybody's.
        let lifetime = Lifetime(
            head, bytes, directives, age, rules, received: times.response,
            allowsHeuristic: isHeuristic || (isMarked && status < 400))
        guard lifetime.isExplicit || isHeuristic || (isMarked && status < 400) else {
            throw status >= 400 ? .errorWithoutLifetime : .notCacheable
        }
        var policy = ResponsePolicy()
        policy.status = status
        policy.lifetime = lifetime.seconds
        policy.staleWhileRevalidate = directives.staleWhileRevalidate ?? 0
        policy.staleIfError = directives.staleIfError ?? 0
        policy.initialAge = age.initial
        policy.responseTime = times.response
        policy.date = age.date
        policy.flags = flags(head, bytes, directives, lifetime, rules, origin)
        if origin.wasAuthorized { policy.flags.insert(.wasAuthorized) }
        // "some caches will not store a response that has neither a cache validator nor an explicit expiration time, as
        // such responses are not usually useful to store": one that could never be used.
        let canBeFresh = !policy.flags.contains(.noCache) && policy.ttl(at: times.response) > 0
        let canBeStale =
            policy.flags.isDisjoint(with: [.noCache, .forbidsStale])
            && (policy.staleWhileRevalidate > 0 || policy.staleIfError > 0)
        guard canBeFresh || canBeStale || policy.flags.contains(.hasValidator) else { throw .useless }
        return policy
    }

    private static func checkDirectives(
        _ directives: ResponseDirectives, _ status: UInt16, _ rules: CacheRules, _ wasAuthorized: Bool
    ) throws(StoreRefusal) {
        let flags = directives.flags
        if flags.contains(.mustUnderstand) {
            // §5.2.2.3: "the cache SHOULD ignore the no-store directive if it understands and implements the status
            // code's caching requirements".
            guard StatusClass.isUnderstood(status) else { throw .notUnderstood }
        } else if flags.contains(.noStore) {
            throw .noStore
        }
        guard rules.isShared else { return }
        // "if the cache is shared: the private response directive is either not present or allows …": the qualified
        // form does, see `StoredFields`.
        guard !flags.contains(.isPrivate) else { throw .isPrivate }
        guard !wasAuthorized || permitsAuthorization(directives) else { throw .authorization }
    }

    /// §3.5: "the following response directives have such an effect: must-revalidate …, public …, and s-maxage".
    private static func permitsAuthorization(_ directives: ResponseDirectives) -> Bool {
        directives.flags.contains(.isPublic) || directives.flags.contains(.mustRevalidate)
            || directives.sharedMaxAge != nil
    }

    /// §4.1: "A stored response with a Vary header field value containing a member '*' always fails to match."
    private static func checkVary(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) throws(StoreRefusal) {
        switch VaryNames(head, bytes).kind {
        case .any: throw .varyAny
        case .tooWide: throw .varyTooWide
        case .none, .names: break
        }
    }

    /// §3.3: "a cache MUST NOT store incomplete or partial-content responses if it does not support the Range and
    /// Content-Range header fields or if it does not understand the range units used": one part, in bytes, whose length
    /// is that of the content.
    private static func checkPartial(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) throws(StoreRefusal) {
        guard head.fields.count(of: .contentRange) == 1, let field = head.fields.first(.contentRange),
            let range = ContentRange.parse(bytes.extracting(field.valueRange))?.range
        else { throw .badPartial }
        if let length = head.contentLength, length != UInt64(range.count) { throw .badPartial }
    }

    private static func flags(
        _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ directives: ResponseDirectives, _ lifetime: Lifetime,
        _ rules: CacheRules, _ origin: Origin
    ) -> ResponsePolicy.Flags {
        var flags: ResponsePolicy.Flags = []
        let stated = directives.flags
        if stated.contains(.noCache) { flags.insert(.noCache) }
        if stated.contains(.mustRevalidate) { flags.insert(.forbidsStale) }
        // §5.2.2.10: "The s-maxage directive incorporates the semantics of the proxy-revalidate response directive".
        if rules.isShared, stated.contains(.proxyRevalidate) || directives.sharedMaxAge != nil {
            flags.insert(.forbidsStale)
        }
        if stated.contains(.noTransform) { flags.insert(.noTransform) }
        // RFC 8246 §3: "Clients SHOULD ignore the immutable extension from resources that are not part of an
        // authenticated context such as HTTPS" and where the end of the content is that of the connection. The first is
        // for clients: a gateway knows its origins.
        if stated.contains(.immutable), origin.endIsSure, rules.isShared || origin.isSecure {
            flags.insert(.immutable)
        }
        if !Validators(head, bytes).isEmpty { flags.insert(.hasValidator) }
        if !lifetime.isExplicit { flags.insert(.isHeuristic) }
        if head.status == 206 { flags.insert(.isPartial) }
        if head.fields.first(.vary) != nil { flags.insert(.hasVary) }
        return flags
    }
}
