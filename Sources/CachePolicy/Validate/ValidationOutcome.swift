// SPDX-License-Identifier: Apache-2.0

/// What the answer to a validation means (RFC 9111 §4.3.3).
public enum ValidationOutcome: Sendable, Equatable {
    /// 304: "the stored response can be updated and reused". See `Freshening` and `FieldMerge`.
    case freshen
    /// "the cache MUST use the full response to satisfy the request. The cache MAY store such a full response": the
    /// stored one goes, whether or not the new one may be stored.
    case replace
    /// The answer is passed on and says nothing about what is stored: an error, or a refusal meant for this client.
    case pass
    /// "if a cache receives a 5xx (Server Error) response while attempting to validate a response, it can … act as if
    /// the server failed to respond": the stored response is served, stale, with this Age in seconds.
    case serveStale(age: UInt32)

    /// Decides by the final status of the answer to a request with the conditions of `ValidationFields`.
    public static func decide(
        _ policy: ResponsePolicy, _ directives: RequestDirectives, now: Int64, status: UInt16
    ) -> ValidationOutcome {
        switch status {
        case 304: return .freshen
        case 200...399, 404, 410: return .replace
        default:
            if case .serve(let age) = StaleIfError.decide(policy, directives, now: now, status: status) {
                return .serveStale(age: age)
            }
            return .pass
        }
    }
}
