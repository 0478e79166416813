// SPDX-License-Identifier: Apache-2.0

/// Chooses among the responses stored for one URI (RFC 9111 §4, §4.1). Offer each whose secondary key was compared.
public struct VariantChoice: Sendable {
    /// The position of the one to use, nil when none matches.
    public private(set) var position: Int?
    /// Whether any was offered: tells `vary-miss` from `uri-miss`.
    public private(set) var hasAny = false
    private var policy = ResponsePolicy()

    /// No variant yet.
    public init() {}

    /// Offers a stored response. `matches`: its secondary key is that of the request, or it has no Vary.
    ///
    /// "the most recent response (as determined by the Date header field) is chosen". One without Vary only when none
    /// with a Vary matches: "the cache SHOULD choose the most recent … stored response with a valid Vary field value".
    public mutating func offer(_ candidate: ResponsePolicy, at place: Int, matches: Bool) {
        hasAny = true
        guard matches else { return }
        if position != nil {
            let hasVary = candidate.flags.contains(.hasVary)
            if hasVary == policy.flags.contains(.hasVary) {
                guard candidate.isMoreRecent(than: policy) else { return }
            } else if !hasVary {
                return
            }
        }
        position = place
        policy = candidate
    }

    /// Why a request goes forward when `position` is nil.
    public var miss: ForwardReason { hasAny ? .varyMiss : .uriMiss }
}
