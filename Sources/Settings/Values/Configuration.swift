// SPDX-License-Identifier: Apache-2.0
// What the operator asked for, checked and complete: plain immutable values that every loop and every exchange can hold.
// `Settings` makes one from flags, variables and the file; nothing in here parses or decides.
//
// An exchange keeps the configuration that it started with, so a later one can be swapped in without disturbing it.

/// The effective settings of one run. Every value has been validated; durations are milliseconds, sizes are bytes.
public struct Configuration: Sendable, Equatable {
    /// Where HTTP is accepted, plain or over TLS. Never empty once checked.
    public var listeners: [Listener] = []
    /// TLS with clients.
    public var tls = TLS()
    /// TLS with upstream servers.
    public var upstreamTLS = UpstreamTLS()
    /// The cache of upstream servers' responses.
    public var cache = Cache()
    /// How pools that say nothing else look after their servers.
    public var upstream = PoolSettings()
    /// How names of upstream servers are looked up.
    public var discovery = Discovery()
    /// How much one client may ask.
    public var clients = ClientLimits()
    /// Event loops; 1 to 1024. By default one per core that the process may run on.
    public var workers = 1
    /// Where the operator asks; nil for nowhere.
    public var admin: Endpoint?
    /// The access log's path, or nil when none is written.
    public var logPath: String?
    /// How a line of the access log is written.
    public var logFormat = LogFormat.combined
    /// Every wait has a limit.
    public var timeouts = Timeouts()
    /// Everything a peer can make grow has a limit.
    public var limits = Limits()
    /// Peers that are believed when they say for whom they forward (`X-Forwarded-*`, `Forwarded`).
    public var trustedProxies: [AddressRange] = []
    /// Named groups of upstream servers. Empty means: start the embedded origins and balance over them.
    public var pools: [Pool] = []
    /// Tried in order of how specific they are; see `Route`. Empty means: everything goes to the first pool.
    public var routes: [Route] = []

    /// The defaults; listeners are still to be filled in.
    public init() {}

    /// An address and port to accept connections on.
    public struct Listener: Sendable, Equatable, Hashable {
        /// A numeric IPv4 or IPv6 address; `0.0.0.0` and `::` mean every address.
        public var address: String
        /// 0 to 65535; 0 lets the system choose.
        public var port: UInt16
        /// Connections begin with a TLS handshake.
        public var isTLS = false
        /// An address and a port.
        public init(address: String, port: UInt16, isTLS: Bool = false) {
            self.address = address
            self.port = port
            self.isTLS = isTLS
        }
    }

    /// Formats of the access log.
    public enum LogFormat: String, Sendable, CaseIterable { case common, combined, json }

    /// All in milliseconds.
    public struct Timeouts: Sendable, Equatable {
        /// A request's head, from its first byte to its last.
        public var header = 15_000
        /// Silence within a request's body.
        public var body = 60_000
        /// A client that takes none of the response.
        public var write = 60_000
        /// A connection between two requests.
        public var idle = 75_000
        /// After a client closed its sending side: how long its last request may still take.
        public var halfClose = 1_000
        /// A TLS handshake as a whole, with a client or an upstream server.
        public var handshake = 10_000
        /// Connecting to an upstream server.
        public var connect = 3_000
        /// From the end of the request to the upstream server to the first byte of its response.
        public var firstByte = 60_000
        /// The head of an upstream server's response, from its first byte to its last.
        public var responseHead = 15_000
        /// Silence within a response, either direction of a tunnel included.
        public var read = 60_000
        /// Silence of both sides of an upgraded connection (WebSocket).
        public var tunnel = 3_600_000
        /// A client that has its share of an upstream server's places, and neither sends nor takes anything.
        public var stall = 5_000
        /// An upstream connection without a request.
        public var upstreamIdle = 4_000
        /// The age at which an upstream connection is not used again.
        public var upstreamAge = 300_000
        /// After SIGTERM: how long exchanges in flight may take.
        public var drain = 30_000
        /// The defaults.
        public init() {}
    }

    /// Counts and bytes.
    public struct Limits: Sendable, Equatable {
        /// Bytes of a message's head: 431 for a request, 502 for a response.
        public var headBytes = 32_768
        /// Bytes of a request line: 414. Also of one field line: 431.
        public var lineBytes = 8_192
        /// Fields in a head: 431 for a request, 502 for a response. At most 100.
        public var fields = 100
        /// Bytes of a request's body, or nil for no limit: 413.
        public var bodyBytes: UInt64?
        /// After 30 s of a body, its average rate may not fall below this (bytes per second; 0 for no limit): 408.
        public var bodyRate = 240
        /// Requests on one client connection.
        public var requestsPerConnection = 10_000
        /// Client connections in all; lowered at start to what the descriptor limit allows.
        public var connections = 100_000
        /// TLS handshakes of clients in progress at once; beyond them a new connection is closed.
        public var handshakes = 10_000
        /// Bytes of bodies and heads on their way, in all loops, beyond which slow peers are sent smaller pieces.
        public var bodyMemory = 64 << 20
        /// Connections in use to one upstream server, in all loops: requests wait, then 503.
        public var connectionsPerUpstream = 1_024
        /// Visits of one request to this gateway, as `Via` and `CDN-Loop` tell; 1 to 100: 508.
        public var visits = 1
        /// Upgraded connections to one upstream server, in all loops, which are not counted among those: 503.
        public var tunnelsPerUpstream = 4_096
        /// What one client may have of an upstream server's connections and tunnels, and of the places in the queue for them, while
        /// nobody else has any: percent.
        public var clientShare = 75
        /// Idle connections kept for one upstream server, in all loops; nil for as many as were in use.
        public var idlePerUpstream: Int?
        /// The defaults.
        public init() {}
    }

    /// A CIDR block, as bytes in network order (4 or 16) and the length of its prefix in bits.
    public struct AddressRange: Sendable, Equatable {
        /// 4 or 16 of them.
        public var bytes: [UInt8]
        /// 0 to 32 or 128.
        public var prefix: Int
        /// A block.
        public init(bytes: [UInt8], prefix: Int) {
            self.bytes = bytes
            self.prefix = prefix
        }
    }

    /// Servers that may answer the same requests.
    public struct Pool: Sendable, Equatable {
        /// Letters, digits, `-`, `_` and `.`.
        public var name: String
        /// In the order of the file; never empty once checked.
        public var servers: [Server]
        /// How it looks after them.
        public var settings: PoolSettings
        /// A pool.
        public init(name: String, servers: [Server], settings: PoolSettings = PoolSettings()) {
            self.name = name
            self.servers = servers
            self.settings = settings
        }
    }

    /// One upstream server.
    public struct Server: Sendable, Equatable {
        /// A numeric address (IPv6 without brackets) or a name to resolve.
        public var host: String
        /// 1 to 65535.
        public var port: UInt16
        /// 1 to 256: its share of the requests.
        public var weight = 1
        /// Used only while no other server of the pool can be.
        public var isBackup = false
        /// Its URL began with `https://`.
        public var isTLS = false
        /// A server.
        public init(host: String, port: UInt16, weight: Int = 1, isBackup: Bool = false, isTLS: Bool = false) {
            self.host = host
            self.port = port
            self.weight = weight
            self.isBackup = isBackup
            self.isTLS = isTLS
        }
        /// The name that its certificate must have. What the operator wrote, never what a name server answers: for SRV records
        /// (`_https._tcp.bank.test`) that is the domain of the service, `bank.test` (RFC 9525, section 6.1).
        public var verifiedName: String {
            let name = host.split(separator: ".").drop { $0.hasPrefix("_") }.joined(separator: ".")
            return name.isEmpty || !host.hasPrefix("_") ? host : name
        }
        /// As it is written in settings: `https://host:port`.
        public var url: String { (isTLS ? "https://" : "http://") + authority }
        /// `host:port`, with brackets round IPv6.
        public var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// Which requests, and what becomes of them. The most specific route wins: an exact host before a longer wildcard
    /// before a shorter one before none; then the longest path prefix; then one that names methods; then file order.
    public struct Route: Sendable, Equatable {
        /// Lower-case host without port, `*.example.org` for its subdomains, or nil for every host.
        public var host: String?
        /// A prefix of whole segments of the normalised path; starts with `/`.
        public var path = "/"
        /// Upper-case as on the wire; empty for all. GET stands for HEAD too.
        public var methods: [String] = []
        /// What becomes of the requests.
        public var action: Action
        /// Replaces the matched `path` prefix in what is forwarded, or nil to forward the target as it came.
        public var rewritePrefix: String?
        /// Changes of the request's fields before forwarding.
        public var requestFields: [FieldChange] = []
        /// Changes of the response's fields before delivery.
        public var responseFields: [FieldChange] = []
        /// What differs from `Configuration.cache` for these requests, or nil for nothing.
        public var cache: CacheRule?
        /// A route for every request.
        public init(action: Action) { self.action = action }

        /// What may become of a request.
        public enum Action: Sendable, Equatable {
            /// Forward to the pool of this name.
            case pool(String)
            /// Answer with this status (301, 302, 303, 307, 308) and `Location`: the value, in which `{path}` stands for
            /// the path as it came, `{query}` for `?` and the query or nothing, `{host}` for the host.
            case redirect(status: Int, location: String)
            /// Answer with this status (200 to 599), type and body.
            case answer(status: Int, contentType: String, body: String)
        }
    }

    /// A field set (all former lines of that name go) or removed.
    public enum FieldChange: Sendable, Equatable {
        case set(name: String, value: String)
        case remove(name: String)
    }
}
