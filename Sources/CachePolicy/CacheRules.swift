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
    /// Whether `no-cache`, `max-age`, `min-fresh` and `Pragma: no-cache` of a request force a validation (§5.2.1: "They
    /// are advisory; caches MAY implement them"). An operator whose origin suffers from reloads turns it off.
    public var honoursReload: Bool

    /// The part of the time since Last-Modified that a response without explicit lifetime stays fresh, in percent: "A
    /// typical setting of this fraction might be 10%" (§4.2.2).
    public static let heuristicPercent: Int64 = 10
    /// The longest heuristic lifetime, in seconds: a day.
    public static let heuristicLimit: Int64 = 86_400

    /// Rules; without arguments those of a shared cache that does what the RFC says.
    public init(isShared: Bool = true, defaultLifetime: UInt32 = 0, honoursReload: Bool = true) {
        self.isShared = isShared
        self.defaultLifetime = min(defaultLifetime, DeltaSeconds.limit)
        self.honoursReload = honoursReload
    }
}
