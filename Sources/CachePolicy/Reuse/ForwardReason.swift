// SPDX-License-Identifier: Apache-2.0

/// Why a request went to the origin: `fwd` of Cache-Status (RFC 9211 §2.2), from most specific to least.
public enum ForwardReason: UInt8, Sendable, CaseIterable {
    /// "The cache was configured to not handle this request."
    case bypass
    /// "The request method's semantics require the request to be forwarded."
    case method
    /// "The cache did not contain any responses that matched the request URI."
    case uriMiss
    /// It did, "but it could not select a response based upon this request's header fields and stored Vary header
    /// fields".
    case varyMiss
    /// "The cache did not contain any responses that could be used": neither of both is known.
    case miss
    /// A fresh response was there, "but the request's semantics … did not allow its use".
    case request
    /// A response was there, "but it was stale".
    case stale
    /// "The cache was able to select a partial response …, but it did not contain all of the requested ranges".
    case partial

    /// The token.
    public var word: StaticString {
        switch self {
        case .bypass: "bypass"
        case .method: "method"
        case .uriMiss: "uri-miss"
        case .varyMiss: "vary-miss"
        case .miss: "miss"
        case .request: "request"
        case .stale: "stale"
        case .partial: "partial"
        }
    }
}
