// SPDX-License-Identifier: Apache-2.0

/// Why a response is not stored: a word for the log and for `detail` of Cache-Status.
public enum StoreRefusal: UInt8, Sendable, CaseIterable, Error {
    case method, requestContent, requestNoStore, upgrade, notFinal, ofThisRequest, notUnderstood, noStore, isPrivate
    case authorization, cookie, errorWithoutLifetime, notCacheable, varyAny, varyTooWide, badPartial, unaskedPartial
    case useless, tooManyTags, invalidStatus

    /// The word, a token of RFC 9110.
    public var word: StaticString {
        switch self {
        case .method: "method"
        case .requestContent: "request-content"
        case .requestNoStore: "request-no-store"
        case .upgrade: "upgrade"
        case .notFinal: "not-final"
        case .ofThisRequest: "status-of-this-request"
        case .notUnderstood: "status-not-understood"
        case .noStore: "no-store"
        case .isPrivate: "private"
        case .authorization: "authorization"
        case .cookie: "set-cookie"
        case .errorWithoutLifetime: "error-without-lifetime"
        case .notCacheable: "not-cacheable"
        case .varyAny: "vary-any"
        case .varyTooWide: "vary-too-wide"
        case .badPartial: "bad-partial"
        case .unaskedPartial: "unasked-partial"
        case .useless: "no-lifetime-no-validator"
        case .tooManyTags: "too-many-tags"
        case .invalidStatus: "invalid-status"
        }
    }

    /// Whether the reason is the response's and would be the same for every request: then what is stored of the resource is
    /// out of date. Else it is in the request's own fields, or in what the response does for the client who asked, and tells
    /// nothing of what is stored.
    public var isOfResource: Bool {
        switch self {
        case .method, .requestContent, .requestNoStore, .upgrade, .notFinal, .ofThisRequest, .authorization, .cookie,
            .badPartial, .unaskedPartial, .invalidStatus:
            false
        case .notUnderstood, .noStore, .isPrivate, .errorWithoutLifetime, .notCacheable, .varyAny, .varyTooWide,
            .useless, .tooManyTags:
            true
        }
    }
}
