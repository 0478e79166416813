// SPDX-License-Identifier: Apache-2.0
// The part of a configuration that is about the cache. Whether the directory can be had is for the store to say, which
// opens it.

extension Configuration {
    /// The cache of upstream servers' responses, on disk and in memory.
    public struct Cache: Sendable, Equatable {
        /// Seconds that a lifetime may have: none to a year.
        static let lifetimes = 0...31_536_000

        /// Responses are stored and served again.
        public var isOn = true
        /// Path of the directory of the stored responses; nil means `defaultDirectory(environment:)`.
        public var directory: String?
        /// Bytes that stored responses may take on disk; 1 MiB to 100 TiB.
        public var diskBytes = 1 << 30
        /// Bytes of memory for the stored responses that are asked for most; 0 to 1 TiB.
        public var memoryBytes = 64 << 20
        /// Bytes of a body as the operator limits them, 1 KiB to 100 TiB; what counts is `largestStoredBody`.
        public var largestBody = 256 << 20
        /// Freshness lifetime (RFC 9111, section 4.2) of storable responses that name none of their own, in seconds; 0 to a
        /// year.
        public var defaultLifetime = 0
        /// A response with Last-Modified that names no lifetime stays fresh for a tenth of its age, a day at most (RFC 9111,
        /// section 4.2.2).
        public var guessesLifetimes = false
        /// A request can force a validation by `no-cache`, `max-age` or `min-fresh` (RFC 9111, section 5.2.1).
        public var honoursReload = false
        /// What becomes of responses that set cookies.
        public var setCookie = SetCookie.refuse
        /// Compressible responses are stored and sent compressed.
        public var compresses = true
        /// Also those that are for one person: not storable, and asked for with credentials, or setting a cookie, or `private` or
        /// `no-store`.
        public var compressesPrivate = false
        /// How long a request waits for another that fetches the same response, in milliseconds; 0 to an hour, 0 for not
        /// at all.
        public var lockTimeout = 5_000
        /// Responses carry `Cache-Status` (RFC 9211).
        public var statusField = true
        /// Addresses from which the method PURGE is taken. By default none: behind a proxy on the same machine everybody has an
        /// address of the loopback interface.
        public var purgers: [AddressRange] = []
        /// The defaults.
        public init() {}

        /// What the cache does with a response that has Set-Cookie.
        public enum SetCookie: String, Sendable, CaseIterable {
            /// It does not store it, whatever else the response says.
            case refuse
            /// It stores it without the field.
            case strip
            /// It stores it with the field: every client gets the cookie of one.
            case keep
        }

        /// Bytes of the largest body that is stored: one response must not push out more than a quarter of the others.
        public var largestStoredBody: Int { min(largestBody, diskBytes / 4) }

        /// The directory when none is named: `gateway` in the user's cache directory (XDG Base Directory Specification
        /// 0.8) or, for a process without a home, in that of the system.
        ///
        /// - Parameter environment: all variables; `XDG_CACHE_HOME` and `HOME` are looked at. One that is empty or not an
        ///   absolute path counts as not set, as the specification has it.
        public static func defaultDirectory(environment: [String: String]) -> String {
            if let caches = absolute(environment["XDG_CACHE_HOME"]) { return caches + "/gateway" }
            if let home = absolute(environment["HOME"]) { return home + "/.cache/gateway" }
            return "/var/cache/gateway"
        }

        /// An absolute path without slashes at its end, so that the root is empty; nil for any other text.
        private static func absolute(_ path: String?) -> String? {
            guard var path, path.utf8.first == UInt8(ascii: "/") else { return nil }
            while path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
            return path
        }
    }
}

extension Configuration.Route {
    /// What a route has of its own about the cache.
    public struct CacheRule: Sendable, Equatable {
        /// Responses may be stored; false keeps the cache out of the route's requests, whatever `Configuration.cache` says.
        public var isOn = true
        /// Instead of `Configuration.Cache.defaultLifetime`, in seconds; nil for no difference.
        public var defaultLifetime: Int?
        /// Instead of `Configuration.Cache.compressesPrivate`; nil for no difference.
        public var compressesPrivate: Bool?
        /// Instead of `Configuration.Cache.setCookie`; nil for no difference.
        public var setCookie: Configuration.Cache.SetCookie?
        /// A rule.
        public init(
            isOn: Bool = true, defaultLifetime: Int? = nil, compressesPrivate: Bool? = nil,
            setCookie: Configuration.Cache.SetCookie? = nil
        ) {
            self.isOn = isOn
            self.defaultLifetime = defaultLifetime
            self.compressesPrivate = compressesPrivate
            self.setCookie = setCookie
        }
    }
}
