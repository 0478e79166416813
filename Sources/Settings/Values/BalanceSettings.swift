// SPDX-License-Identifier: Apache-2.0
// How servers are chosen and found, and how much one client may ask.

extension Configuration {
    /// How a pool chooses among its servers.
    public struct Balance: Sendable, Equatable {
        /// The way to choose.
        public var method = BalanceMethod.roundRobin
        /// What decides with `hash`: `address`, `path`, `header:NAME` or `cookie:NAME`; nil for the client's address.
        public var hashKey: String?
        /// The cookie that leads a client back to the server that answered first; nil for none.
        public var stickyCookie: String?
        /// What the cookie's values depend on; nil for a secret that lasts until the gateway ends.
        public var stickySecret: String?
        /// Idle connections to each server that are kept open before anybody asks for them, in all loops.
        public var warm = 0
        /// The defaults.
        public init() {}
    }

    /// Ways to choose.
    public enum BalanceMethod: String, Sendable, CaseIterable {
        case roundRobin = "round-robin"
        case leastConnections = "least-conn"
        case powerOfTwo = "p2c"
        case hash
    }

    /// How names of upstream servers are looked up.
    public struct Discovery: Sendable, Equatable {
        /// Name servers; empty for the system's resolver.
        public var resolvers: [Endpoint] = []
        /// The longest that an answer is used, in milliseconds.
        public var interval = 30_000
        /// The defaults.
        public init() {}
    }

    /// How much one client may ask. IPv6 clients count by their /64.
    public struct ClientLimits: Sendable, Equatable {
        /// Requests per minute; 0 for no limit: 429.
        public var rate = 0
        /// Requests at once beyond the rate; 0 for as many as the rate allows in a second.
        public var burst = 0
        /// Connections at once; 0 for no limit: 429.
        public var connections = 0
        /// The defaults.
        public init() {}
    }
}

extension Quantities {
    /// Requests per minute, from `50r/s` or `30r/m`; 0 from `none`.
    static func rate(_ text: String) throws(Refusal) -> Int {
        if text == "none" { return 0 }
        for (unit, factor) in [("r/s", 60), ("r/m", 1)] where text.hasSuffix(unit) {
            if let number = digits(text.dropLast(unit.count)), (1...1_000_000).contains(number) {
                return number * factor
            }
        }
        let hint = (digits(text) ?? 0) > 0 ? " (did you mean \(text)r/s?)" : ""
        throw Refusal(
            "expected a rate from 1r/m to 1000000r/s, such as 50r/s, or the word none; found \(quoted(text))\(hint)")
    }

    /// What `rate` reads.
    static func text(ofRate perMinute: Int) -> String {
        if perMinute == 0 { return "none" }
        return perMinute.isMultiple(of: 60) ? "\(perMinute / 60)r/s" : "\(perMinute)r/m"
    }

    /// A numeric address with a port or without, IPv6 in brackets where it has one.
    static func endpoint(_ text: String, port usual: UInt16) throws(Refusal) -> Configuration.Endpoint {
        func refuse() -> Refusal {
            Refusal(
                "expected a numeric address, such as 192.0.2.1, 192.0.2.1:\(usual) or [2001:db8::1]:\(usual); "
                    + "found \(quoted(text))")
        }
        if let bytes = Addresses.bytes(of: text) {
            return Configuration.Endpoint(address: Addresses.text(of: bytes), port: usual)
        }
        guard let colon = text.lastIndex(of: ":"), let port = digits(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { throw refuse() }
        var host = text[..<colon]
        if host.contains(":") {
            guard host.hasPrefix("["), host.hasSuffix("]") else { throw refuse() }
            host = host.dropFirst().dropLast()
        }
        guard let bytes = Addresses.bytes(of: String(host)) else { throw refuse() }
        return Configuration.Endpoint(address: Addresses.text(of: bytes), port: UInt16(port))
    }
}
