// SPDX-License-Identifier: Apache-2.0

internal import HTTP

/// Whether a request is looked up at all, before its key is made (RFC 9111 §4).
public enum Lookup: Sendable, Equatable {
    /// A stored response may answer it.
    case lookUp
    /// It goes to the origin, past the cache.
    case forward(ForwardReason)

    /// Decides by the request alone.
    public static func decide(_ request: CacheRequest) -> Lookup {
        // "A cache MUST write through requests with methods that are unsafe to the origin server." OPTIONS and TRACE
        // have no cacheable responses.
        guard request.method == .get || request.method == .head else { return .forward(.method) }
        // RFC 9110 §9.3.1: content of a GET "might lead some implementations to reject the request": it may change the
        // answer.
        guard !request.hasContent, !request.wantsUpgrade else { return .forward(.bypass) }
        // §4.3.2: "A cache MUST NOT evaluate conditional header fields that only apply to an origin server".
        guard !request.present.contains(.originConditions) else { return .forward(.request) }
        return .lookUp
    }

    /// Whether a request for which nothing usable is stored gets 504 instead of going forward: "respond with either a
    /// stored response consistent with the other constraints of the request or a 504 (Gateway Timeout) status code"
    /// (§5.2.1.7).
    public static func timesOut(_ request: CacheRequest) -> Bool { request.directives.onlyIfCached }
}
