// SPDX-License-Identifier: Apache-2.0
// How long a response is fresh (RFC 9111 §4.2.1, §4.2.2).

public import HTTP
internal import Bytes

/// A freshness lifetime and where it is from.
public struct Lifetime: Sendable, Equatable {
    /// What named it, from the first that is asked to the last.
    public enum Source: Sendable, Equatable {
        /// `s-maxage`, in a shared cache.
        case sharedMaxAge
        /// `max-age`.
        case maxAge
        /// Expires minus Date.
        case expires
        /// A tenth of the time since Last-Modified.
        case lastModified
        /// The operator's default.
        case standard
        /// Nothing did.
        case none
    }

    /// Seconds, 0...2^31.
    public var seconds: UInt32
    /// What named it.
    public var source: Source

    /// Whether the origin named it: "an explicit expiration time".
    public var isExplicit: Bool {
        switch source {
        case .sharedMaxAge, .maxAge, .expires: true
        case .lastModified, .standard, .none: false
        }
    }

    /// "using the first match" (§4.2.1). `allowsHeuristic`: whether §4.2.2 lets the response have a lifetime that it
    /// does not name.
    public init(
        _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ directives: ResponseDirectives, _ age: ResponseAge,
        _ rules: CacheRules, received: Int64, allowsHeuristic: Bool
    ) {
        if rules.isShared, let seconds = directives.sharedMaxAge {
            self.init(seconds, .sharedMaxAge)
        } else if let seconds = directives.maxAge {
            self.init(seconds, .maxAge)
        } else if !directives.flags.contains(.isTargeted), head.fields.first(.expires) != nil {
            self.init(Lifetime.expires(head, bytes, age, received / 1_000), .expires)
        } else if !allowsHeuristic {
            self.init(0, .none)
        } else if rules.guessesLifetimes, let seconds = Lifetime.heuristic(head, bytes, age, received / 1_000) {
            self.init(seconds, .lastModified)
        } else {
            self.init(rules.defaultLifetime, rules.defaultLifetime > 0 ? .standard : .none)
        }
    }

    init(_ seconds: UInt32, _ source: Source) {
        self.seconds = seconds
        self.source = source
    }

    /// "use its value minus the value of the Date response header field (using the time the message was received if it
    /// is not present …)". "A cache recipient MUST interpret invalid date formats, especially the value '0', as
    /// representing a time in the past" (§5.3). Of several lines the one that expires first counts.
    private static func expires(
        _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ age: ResponseAge, _ received: Int64
    ) -> UInt32 {
        var shortest = Int64(DeltaSeconds.limit)
        for position in 0..<head.fields.count where head.fields[position].name == .expires {
            let value = bytes.extracting(head.fields[position].valueRange)
            guard let date = HTTPDate.parse(value, now: received, ignoringCase: true) else { return 0 }
            let (seconds, overflow) = date.subtractingReportingOverflow(age.date)
            shortest = min(shortest, overflow ? 0 : seconds)
        }
        return DeltaSeconds.clamp(shortest)
    }

    /// "caches are encouraged to use a heuristic expiration value that is no more than some fraction of the interval
    /// since that time" (§4.2.2). nil without a Last-Modified before the Date.
    private static func heuristic(
        _ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ age: ResponseAge, _ received: Int64
    ) -> UInt32? {
        guard let field = head.fields.first(.lastModified),
            let modified = HTTPDate.parse(bytes.extracting(field.valueRange), now: received, ignoringCase: true)
        else { return nil }
        let (interval, overflow) = age.date.subtractingReportingOverflow(modified)
        guard !overflow, interval > 0 else { return nil }
        return DeltaSeconds.clamp(min(interval / 100 * CacheRules.heuristicPercent, CacheRules.heuristicLimit))
    }
}
