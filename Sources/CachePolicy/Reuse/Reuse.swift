// SPDX-License-Identifier: Apache-2.0
// May this stored response answer this request now? (RFC 9111 §4, §4.2.4, §5.2; RFC 5861; RFC 8246.)

/// The decision about a stored response that was chosen for a request. `now`: wall-clock milliseconds of Unix time.
public enum Reuse: Sendable, Equatable {
    /// It is served as it is; "a cache MUST generate an Age header field" of `age` seconds.
    case fresh(age: UInt32)
    /// It is served although it is stale. `refresh`: meanwhile it is validated, which no client waits for.
    case stale(age: UInt32, refresh: Bool)
    /// It is validated first.
    case validate(Why)
    /// 504: only a stored response was wanted, and this one may not be used (§5.2.1.7).
    case gatewayTimeout(Why)

    /// Why a stored response may not be used as it is.
    public enum Why: UInt8, Sendable, CaseIterable {
        /// Its lifetime is over.
        case expired
        /// The response says `no-cache`, or it was invalidated.
        case responseNoCache
        /// The request says `no-cache`.
        case requestNoCache
        /// It is older than `max-age` of the request.
        case requestMaxAge
        /// It stays fresh for less than `min-fresh` of the request.
        case requestMinFresh

        /// For `fwd` of Cache-Status.
        public var forward: ForwardReason {
            switch self {
            case .expired, .responseNoCache: .stale
            case .requestNoCache, .requestMaxAge, .requestMinFresh: .request
            }
        }

        /// For `detail` of Cache-Status and the log.
        public var word: StaticString {
            switch self {
            case .expired: "expired"
            case .responseNoCache: "response-no-cache"
            case .requestNoCache: "request-no-cache"
            case .requestMaxAge: "request-max-age"
            case .requestMinFresh: "request-min-fresh"
            }
        }
    }

    /// Decides about a stored response whose key, and whose Vary, match the request.
    public static func decide(
        _ policy: ResponsePolicy, _ directives: RequestDirectives, now: Int64, _ rules: CacheRules
    ) -> Reuse {
        let age = policy.age(at: now)
        let ttl = Int64(policy.lifetime) &- Int64(age)
        guard let why = obstacle(policy, directives, age, ttl, rules) else {
            if ttl > 0 { return .fresh(age: age) }
            return staleOrValidate(policy, directives, age, ttl, rules)
        }
        return refuse(why, directives)
    }

    private static func refuse(_ why: Why, _ directives: RequestDirectives) -> Reuse {
        directives.onlyIfCached ? .gatewayTimeout(why) : .validate(why)
    }

    /// What forbids its use, fresh or stale.
    private static func obstacle(
        _ policy: ResponsePolicy, _ directives: RequestDirectives, _ age: UInt32, _ ttl: Int64, _ rules: CacheRules
    ) -> Why? {
        // §5.2.2.4: "MUST NOT be used to satisfy any other request without forwarding it for validation".
        if policy.flags.contains(.noCache) { return .responseNoCache }
        guard rules.honoursReload else { return nil }
        if directives.noCache { return .requestNoCache }
        // RFC 8246 §2.1: "proxies SHOULD skip conditionally revalidating fresh responses containing the immutable
        // extension unless there is a signal from the client that a validation is necessary (e.g., a no-cache …)":
        // max-age=0 is what a plain reload sends.
        let isSettled = ttl > 0 && policy.flags.contains(.immutable)
        if let maxAge = directives.maxAge, !isSettled {
            // "prefers a response whose age is less than or equal to the specified number of seconds". With 0 a
            // validation is wanted, also within the first second.
            if age > maxAge || maxAge == 0 {
                // §5.2.1.1: "Unless the max-stale request directive is also present": then how stale it may be counts.
                return ttl > 0 || directives.maxStale == nil ? .requestMaxAge : nil
            }
        }
        if let minFresh = directives.minFresh, ttl < Int64(minFresh) { return .requestMinFresh }
        return nil
    }

    /// §4.2.4: "A cache MUST NOT generate a stale response if it is prohibited by an explicit in-protocol directive …
    /// unless … explicitly permitted by the client or origin server".
    private static func staleOrValidate(
        _ policy: ResponsePolicy, _ directives: RequestDirectives, _ age: UInt32, _ ttl: Int64, _ rules: CacheRules
    ) -> Reuse {
        guard !policy.flags.contains(.forbidsStale) else { return refuse(.expired, directives) }
        let staleness = -ttl
        if let maxStale = directives.maxStale, maxStale == UInt32.max || staleness <= Int64(maxStale) {
            return .stale(age: age, refresh: false)
        }
        // A request with max-age "does not wish to receive a stale response".
        let wantsFresh = rules.honoursReload && directives.maxAge != nil
        // RFC 5861 §3: "up to the indicated number of seconds".
        if !wantsFresh, policy.staleWhileRevalidate > 0, staleness <= Int64(policy.staleWhileRevalidate) {
            return .stale(age: age, refresh: true)
        }
        return refuse(.expired, directives)
    }
}
