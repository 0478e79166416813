// SPDX-License-Identifier: Apache-2.0
// What was decided of a response when it was stored: small enough for an index in memory, and all that a fresh hit
// needs.

/// How long a stored response may be used, and how. Times are wall-clock milliseconds of Unix time.
public struct ResponsePolicy: Sendable, Equatable {
    /// What was decided once.
    public struct Flags: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt16
        /// Flags of these bits.
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        /// Never used without validation: `no-cache` without field names, or an invalidation.
        public static let noCache = Flags(rawValue: 1 << 0)
        /// Never used stale: `must-revalidate`, in a shared cache also `proxy-revalidate` and `s-maxage`.
        public static let forbidsStale = Flags(rawValue: 1 << 1)
        /// `immutable`: a reload does not validate it while it is fresh (RFC 8246).
        public static let immutable = Flags(rawValue: 1 << 2)
        /// It has an ETag or a Last-Modified to be validated by.
        public static let hasValidator = Flags(rawValue: 1 << 3)
        /// Its lifetime is no explicit one: heuristic, or the operator's default.
        public static let isHeuristic = Flags(rawValue: 1 << 4)
        /// The request that it answered had an Authorization field.
        public static let wasAuthorized = Flags(rawValue: 1 << 5)
        /// Not all of the representation is there: a 206, or a 200 that broke off.
        public static let isPartial = Flags(rawValue: 1 << 6)
        /// It has a Vary field.
        public static let hasVary = Flags(rawValue: 1 << 7)
        /// `no-transform`: its content is stored and served as it came.
        public static let noTransform = Flags(rawValue: 1 << 8)
    }

    /// What was decided once.
    public var flags: Flags = []
    /// The status code.
    public var status: UInt16 = 0
    /// freshness_lifetime (RFC 9111 §4.2.1) in seconds, 0...2^31.
    public var lifetime: UInt32 = 0
    /// How long behind its lifetime it may be served while it is validated, in seconds (RFC 5861 §3).
    public var staleWhileRevalidate: UInt32 = 0
    /// How long behind its lifetime it may be served when its validation fails, in seconds (RFC 5861 §4).
    public var staleIfError: UInt32 = 0
    /// corrected_initial_age (§4.2.3) in milliseconds, never negative. request_time is in it.
    public var initialAge: Int64 = 0
    /// response_time (§4.2.3).
    public var responseTime: Int64 = 0
    /// date_value (§4.2.3) in seconds of Unix time: the Date field, or when the response was received.
    public var date: Int64 = 0

    /// An empty policy: stale, without permission.
    public init() {}

    /// current_age (§4.2.3) in seconds, 0...2^31. A clock that went back does not make a response younger than it came.
    @inlinable public func age(at now: Int64) -> UInt32 {
        let (resident, overflow) = now.subtractingReportingOverflow(responseTime)
        if overflow { return now < responseTime ? UInt32(truncatingIfNeeded: initialAge / 1_000) : 1 << 31 }
        let (age, tooOld) = initialAge.addingReportingOverflow(max(resident, 0))
        return tooOld ? 1 << 31 : UInt32(truncatingIfNeeded: min(max(age, 0) / 1_000, 1 << 31))
    }

    /// Seconds that it stays fresh; 0 and below when it is stale: `response_is_fresh = (freshness_lifetime >
    /// current_age)` (§4.2).
    @inlinable public func ttl(at now: Int64) -> Int64 { Int64(lifetime) &- Int64(age(at: now)) }

    /// Makes it one that has to be validated before every use: "mark them as 'invalid' and in need of a mandatory
    /// validation" (§4.4).
    public mutating func invalidate() { flags.insert(.noCache) }

    /// Makes it stale, as after a HEAD that showed another representation (§4.3.5).
    public mutating func expire() {
        lifetime = 0
        staleWhileRevalidate = 0
    }

    /// Whether this one is chosen before `other`: "a cache MUST use the most recent one (as determined by the Date
    /// header field)" (§4); of two of one second, the one received later.
    public func isMoreRecent(than other: ResponsePolicy) -> Bool {
        date == other.date ? responseTime > other.responseTime : date > other.date
    }
}
