// SPDX-License-Identifier: Apache-2.0
// What an operator (or the command-line client) chooses where RFC 9111 leaves a choice.

/// Whose cache it is, and what it does where the RFC lets it choose.
public struct CacheRules: Sendable, Equatable {
    /// Whether the cache serves more than one user (RFC 9111 §1): the gateway's does, the command-line client's does
    /// not.
    public var isShared: Bool
    /// Lifetime of storable, heuristically cacheable responses that name none and have no usable Last-Modified, in
    /// seconds, 0...2^31. 0: such a response is kept only to be validated.
    public var defaultLifetime: UInt32
    /// Whether a response that names no lifetime stays fresh for a part of the time since its Last-Modified (§4.2.2: "a
    /// cache MAY calculate a heuristic expiration time"). Without that it is kept to be validated, or has
    /// `defaultLifetime`.
    public var guessesLifetimes: Bool
    /// Whether `no-cache`, `max-age`, `min-fresh` and `Pragma: no-cache` of a request force a validation (§5.2.1: "They
    /// are advisory; caches MAY implement them"). Where they do, any client makes the origin answer for any fresh object.
    public var honoursReload: Bool
    /// What becomes of responses with Set-Cookie. Only a shared cache asks.
    public var setCookie: SetCookieRule

    /// The part of the time since Last-Modified that a response without explicit lifetime stays fresh, in percent: "A
    /// typical setting of this fraction might be 10%" (§4.2.2).
    public static let heuristicPercent: Int64 = 10
    /// The longest heuristic lifetime, in seconds: a day.
    public static let heuristicLimit: Int64 = 86_400

    /// Rules; without arguments those of a shared cache that does what the RFC says.
    public init(
        isShared: Bool = true, defaultLifetime: UInt32 = 0, guessesLifetimes: Bool = true, honoursReload: Bool = true,
        setCookie: SetCookieRule = .refuse
    ) {
        self.isShared = isShared
        self.defaultLifetime = min(defaultLifetime, DeltaSeconds.limit)
        self.guessesLifetimes = guessesLifetimes
        self.honoursReload = honoursReload
        self.setCookie = setCookie
    }
}

/// What a shared cache does with a response that sets a cookie. RFC 9111 §7.3 lets it store the response, and warns that
/// the cookie then goes to every user.
public enum SetCookieRule: UInt8, Sendable {
    /// It is not stored, whatever else it says.
    case refuse
    /// It is stored without the field; the client whose request fetched it gets the cookie.
    case strip
    /// It is stored with the field, and every client gets the cookie.
    case keep
}
