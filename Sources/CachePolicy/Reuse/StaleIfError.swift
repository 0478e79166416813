// SPDX-License-Identifier: Apache-2.0
// What answers when the origin does not (RFC 5861 §4, RFC 9111 §4.2.4, §4.3.3, §5.2.2.2).

/// What is done when a validation fails: the origin cannot be reached, does not answer, or answers with an error.
public enum StaleIfError: Sendable, Equatable {
    /// The stored response is served, stale, with this Age in seconds.
    case serve(age: UInt32)
    /// The failure is the answer: the origin's response, or where there is none this status.
    case fail(status: UInt16)

    /// "an error is any situation which would result in a 500, 502, 503 or 504 HTTP response status code being
    /// returned".
    ///
    /// A status above 599 counts as 500 (RFC 9110 §15).
    public static func isError(_ status: UInt16) -> Bool {
        status == 500 || status == 502 || status == 503 || status == 504 || status > 599
    }

    /// Decides. `status`: of the origin's response, or what the gateway would answer of its own (502, 504).
    public static func decide(
        _ policy: ResponsePolicy, _ directives: RequestDirectives, now: Int64, status: UInt16
    ) -> StaleIfError {
        guard isError(status) else { return .fail(status: status) }
        let age = policy.age(at: now)
        // §5.2.2.2: "if a cache is disconnected, the cache MUST generate an error response rather than reuse the stale
        // response". No directive of the request overrides it, and `no-cache` forbids the use "even by caches that have
        // been configured to send stale responses" (§5.2.2.4).
        guard policy.flags.isDisjoint(with: [.forbidsStale, .noCache]) else { return .fail(status: status) }
        let permitted = max(policy.staleIfError, directives.staleIfError ?? 0)
        // "Its value indicates the upper limit to staleness".
        guard permitted > 0, -policy.ttl(at: now) <= Int64(permitted) else { return .fail(status: status) }
        return .serve(age: age)
    }

    /// The status where the origin could not be asked at all about a response that may not be served stale: "The
    /// generated status code SHOULD be 504 (Gateway Timeout) unless another error status code is more applicable".
    public static let disconnected: UInt16 = 504
}
