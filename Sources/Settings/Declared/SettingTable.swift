// SPDX-License-Identifier: Apache-2.0
// The table of all settings: the only place where a name, a range or a sentence about one is written. Defaults are the
// values of a fresh `Configuration`.

enum SettingTable {
    private static let day = 86_400_000
    private static let hour = 3_600_000

    /// In the order of the help.
    static let all: [Setting] =
        listening + tls + upstream + balancing + health + retries + upstreamTLS + cache + timeouts + limits + clients
        + log + admin

    /// A setting by its flag without dashes.
    static func setting(flag: String) -> Setting? { all.first { $0.flag == flag } }

    private static let admin: [Setting] = [
        Setting(
            flag: "admin", keys: ["admin"], group: .admin, kind: .endpoint(\.admin),
            summary: "Address for the operator: explains the cache, purges it; without a password.")
    ]

    private static let listening: [Setting] = [
        Setting(
            flag: "port", keys: [], group: .listening, kind: .port,
            summary: "Port to listen on for plain HTTP."),
        Setting(
            flag: "tls-port", keys: [], group: .listening, kind: .tlsPort,
            summary: "Port to listen on for HTTP over TLS."),
        Setting(
            flag: "bind", keys: [], group: .listening, kind: .address,
            summary: "Address to listen on, together with --port and --tls-port."),
        Setting(
            flag: "workers", keys: ["workers"], group: .listening, kind: .whole(1...1_024, \.workers),
            summary: "Event loops that share the connections."),
        Setting(
            flag: "trusted-proxies", keys: ["trusted_proxies"], group: .listening, kind: .ranges(\.trustedProxies),
            summary: "Peers that are believed when they say for whom they forward."),
    ]

    private static let tls: [Setting] = [
        Setting(
            flag: "cert", keys: [], group: .tls, kind: .certificates,
            summary: "Certificate chain in PEM, the server's own certificate first."),
        Setting(
            flag: "key", keys: [], group: .tls, kind: .keys,
            summary: "Private key in PEM; the nth --key belongs to the nth --cert."),
        Setting(
            flag: "tls-min-version", keys: ["tls", "min_version"], group: .tls,
            kind: .choice(\.tls.minimumVersion),
            summary: "Oldest version of TLS that is spoken with clients."),
        Setting(
            flag: "client-ca", keys: ["tls", "client_ca"], group: .tls, kind: .path(\.tls.clientCA),
            summary: "Roots in PEM that client certificates must lead to; clients are asked for one when it is given."),
        Setting(
            flag: "client-cert", keys: ["tls", "client_certificate"], group: .tls,
            kind: .choice(\.tls.clientCertificate),
            summary: "Whether a client may go without a certificate; goes with --client-ca."),
        Setting(
            flag: "ocsp-fetch", keys: ["tls", "ocsp_fetch"], group: .tls, kind: .truth(\.tls.fetchesOCSP),
            summary: "Fetch OCSP responses for the certificates and staple them."),
        Setting(
            flag: "https-redirect", keys: ["tls", "redirect"], group: .tls, kind: .truth(\.tls.redirectsPlain),
            summary: "Answer plain HTTP with a redirect to https; needs a TLS listener."),
        Setting(
            flag: "hsts", keys: ["tls", "hsts"], group: .tls,
            kind: .seconds(0...63_072_000, such: 31_536_000, \.tls.hstsSeconds),
            summary: "How long browsers shall use https only (Strict-Transport-Security); 0s says nothing to them."),
    ]

    private static let upstreamTLS: [Setting] = [
        Setting(
            flag: "upstream-ca", keys: ["upstream_tls", "ca"], group: .upstreamTLS, kind: .path(\.upstreamTLS.ca),
            summary: "Roots in PEM that certificates of upstream servers must lead to, instead of the system's."),
        Setting(
            flag: "upstream-cert", keys: ["upstream_tls", "cert"], group: .upstreamTLS,
            kind: .path(\.upstreamTLS.certificate),
            summary: "Certificate chain in PEM for upstream servers that ask for one."),
        Setting(
            flag: "upstream-key", keys: ["upstream_tls", "key"], group: .upstreamTLS, kind: .path(\.upstreamTLS.key),
            summary: "Its private key in PEM; without it, the key is in the file of --upstream-cert."),
        Setting(
            flag: "upstream-tls-name", keys: ["upstream", "tls_name"], group: .upstreamTLS,
            kind: .text(hostName, \.upstream.tlsName),
            summary:
                "Name that certificates of a pool's servers must have, also sent to them (SNI); by default that of the URL."
        ),
        Setting(
            flag: "upstream-insecure-skip-verify", keys: ["upstream_tls", "insecure_skip_verify"], group: .upstreamTLS,
            kind: .truth(\.upstreamTLS.skipsVerification),
            summary: "Take any certificate from upstream servers: whoever is on the way can read and change all."),
    ]

    private static let hostName = Setting.Text(
        placeholder: "NAME", expected: "a host name or a numeric address, without a port",
        isRight: { Addresses.hostName($0) != nil && !$0.hasPrefix("_") || Addresses.bytes(of: $0) != nil })

    private static let upstream: [Setting] = [
        Setting(
            flag: "upstream", keys: [], group: .upstream, kind: .servers,
            summary: "Server to forward requests to; all of them make the pool named default."),
        Setting(
            flag: "upstream-connections", keys: ["limits", "connections_per_upstream"], group: .upstream,
            kind: .whole(1...1_000_000, \.limits.connectionsPerUpstream),
            summary: "Connections in use to one upstream server; beyond them requests wait (--upstream-queue)."),
        Setting(
            flag: "upstream-idle", keys: ["limits", "idle_per_upstream"], group: .upstream,
            kind: .wholeOrNone(0...1_000_000, \.limits.idlePerUpstream),
            summary: "Idle connections kept for one upstream server; none for as many as were in use lately."),
        Setting(
            flag: "upstream-tunnels", keys: ["limits", "tunnels_per_upstream"], group: .upstream,
            kind: .whole(0...1_000_000, \.limits.tunnelsPerUpstream),
            summary: "Upgraded connections to one upstream server, such as WebSockets; beyond them an upgrade gets 503."
        ),
        Setting(
            flag: "upstream-client-share", keys: ["limits", "client_share"], group: .upstream,
            kind: .whole(1...100, \.limits.clientShare),
            summary:
                "Percent of a server's connections, tunnels and queue that one client may have; less when others have some."
        ),
        Setting(
            flag: "upstream-idle-timeout", keys: ["timeouts", "upstream_idle"], group: .upstream,
            kind: .duration(1...hour, \.timeouts.upstreamIdle),
            summary: "How long an upstream connection is kept without a request."),
        Setting(
            flag: "upstream-max-age", keys: ["timeouts", "upstream_age"], group: .upstream,
            kind: .duration(1...day, \.timeouts.upstreamAge),
            summary: "Age at which an upstream connection is not used again."),
    ]

    private static let cache: [Setting] = [
        Setting(
            flag: "no-cache", keys: ["cache", "enabled"], group: .cache, kind: .negated(\.cache.isOn),
            summary: "Store no responses, neither on disk nor in memory."),
        Setting(
            flag: "cache-dir", keys: ["cache", "directory"], group: .cache, kind: .directory(\.cache.directory),
            summary: "Directory of the stored responses; one gateway at a time may have it."),
        Setting(
            flag: "cache-size", keys: ["cache", "size"], group: .cache,
            kind: .size(1 << 20...100 << 40, \.cache.diskBytes),
            summary: "Bytes that stored responses may take on disk."),
        Setting(
            flag: "cache-memory", keys: ["cache", "memory"], group: .cache,
            kind: .size(0...1 << 40, \.cache.memoryBytes),
            summary: "Bytes of memory for those that are asked for most."),
        Setting(
            flag: "cache-max-object", keys: ["cache", "max_object"], group: .cache,
            kind: .size(1 << 10...100 << 40, \.cache.largestBody),
            summary: "Bytes of a stored body; never more than a quarter of --cache-size."),
        Setting(
            flag: "cache-ttl", keys: ["cache", "ttl"], group: .cache,
            kind: .seconds(Configuration.Cache.lifetimes, such: 300, \.cache.defaultLifetime),
            summary: "Time to live of storable responses that name none of their own."),
        Setting(
            flag: "cache-heuristic", keys: ["cache", "heuristic"], group: .cache,
            kind: .truth(\.cache.guessesLifetimes),
            summary: "Responses with Last-Modified that name no time to live have a tenth of their age, a day at most."),
        Setting(
            flag: "cache-honour-reload", keys: ["cache", "honour_reload"], group: .cache,
            kind: .truth(\.cache.honoursReload),
            summary: "Requests can force a validation by no-cache, max-age or min-fresh."),
        Setting(
            flag: "cache-set-cookie", keys: ["cache", "set_cookie"], group: .cache, kind: .choice(\.cache.setCookie),
            summary: "Responses that set cookies: do not store them, or strip or keep the field."),
        Setting(
            flag: "no-cache-gzip", keys: ["cache", "gzip"], group: .cache, kind: .negated(\.cache.compresses),
            summary: "Store and send responses as they come, without compressing them."),
        Setting(
            flag: "gzip-private", keys: ["cache", "gzip_private"], group: .cache,
            kind: .truth(\.cache.compressesPrivate),
            summary: "Compress also what is for one person, though its length then tells of its secrets (BREACH)."),
        Setting(
            flag: "cache-wait", keys: ["cache", "wait"], group: .cache,
            kind: .duration(0...hour, \.cache.lockTimeout),
            summary: "How long a request waits for another that fetches the same; 0s for not at all."),
        Setting(
            flag: "no-cache-status", keys: ["cache", "status"], group: .cache, kind: .negated(\.cache.statusField),
            summary: "Leave Cache-Status (RFC 9211) out of responses."),
        Setting(
            flag: "cache-purge-from", keys: ["cache", "purge_from"], group: .cache, kind: .ranges(\.cache.purgers),
            summary: "Addresses from which the method PURGE is taken."),
    ]

    private static let timeouts: [Setting] = [
        Setting(
            flag: "header-timeout", keys: ["timeouts", "header"], group: .timeouts,
            kind: .duration(1...hour, \.timeouts.header),
            summary: "For a request's head, from its first byte to its last."),
        Setting(
            flag: "body-timeout", keys: ["timeouts", "body"], group: .timeouts,
            kind: .duration(1...day, \.timeouts.body),
            summary: "Silence within a request's body."),
        Setting(
            flag: "write-timeout", keys: ["timeouts", "write"], group: .timeouts,
            kind: .duration(1...day, \.timeouts.write),
            summary: "For a client that takes none of the response."),
        Setting(
            flag: "idle-timeout", keys: ["timeouts", "idle"], group: .timeouts,
            kind: .duration(1...day, \.timeouts.idle),
            summary: "For a client connection between two requests."),
        Setting(
            flag: "half-close-timeout", keys: ["timeouts", "half_close"], group: .timeouts,
            kind: .duration(1...hour, \.timeouts.halfClose),
            summary: "How long the last request may still take after the client closed its sending side."),
        Setting(
            flag: "handshake-timeout", keys: ["timeouts", "handshake"], group: .timeouts,
            kind: .duration(1...hour, \.timeouts.handshake),
            summary: "For a TLS handshake as a whole, with a client or an upstream server."),
        Setting(
            flag: "connect-timeout", keys: ["timeouts", "connect"], group: .timeouts,
            kind: .duration(1...hour, \.timeouts.connect),
            summary: "For connecting to an upstream server."),
        Setting(
            flag: "first-byte-timeout", keys: ["timeouts", "first_byte"], group: .timeouts,
            kind: .duration(1...day, \.timeouts.firstByte),
            summary: "From the end of the request to the first byte of the upstream server's response."),
        Setting(
            flag: "response-head-timeout", keys: ["timeouts", "response_head"], group: .timeouts,
            kind: .duration(1...day, \.timeouts.responseHead),
            summary: "For the head of an upstream server's response, from its first byte to its last."),
        Setting(
            flag: "stall-timeout", keys: ["timeouts", "stall"], group: .timeouts,
            kind: .duration(1...day, \.timeouts.stall),
            summary: "For a client with its --upstream-client-share that neither sends nor takes anything."),
        Setting(
            flag: "read-timeout", keys: ["timeouts", "read"], group: .timeouts,
            kind: .duration(1...day, \.timeouts.read),
            summary: "Silence within an upstream server's response."),
        Setting(
            flag: "tunnel-timeout", keys: ["timeouts", "tunnel"], group: .timeouts,
            kind: .duration(1...(7 * day), \.timeouts.tunnel),
            summary: "Silence of both sides of an upgraded connection, such as a WebSocket."),
        Setting(
            flag: "drain-timeout", keys: ["timeouts", "drain"], group: .timeouts,
            kind: .duration(1...hour, \.timeouts.drain),
            summary: "How long exchanges in flight may take after SIGTERM."),
    ]

    private static let limits: [Setting] = [
        Setting(
            flag: "max-header-bytes", keys: ["limits", "head_bytes"], group: .limits,
            kind: .size(1_024...61_440, \.limits.headBytes),
            summary: "Bytes of a message's head; beyond them a request gets 431."),
        Setting(
            flag: "max-line-bytes", keys: ["limits", "line_bytes"], group: .limits,
            kind: .size(256...61_440, \.limits.lineBytes),
            summary: "Bytes of a request line (414) or of one field line (431); not more than those of the head."),
        Setting(
            flag: "max-fields", keys: ["limits", "fields"], group: .limits,
            kind: .whole(1...100, \.limits.fields),
            summary: "Fields in a head; beyond them a request gets 431."),
        Setting(
            flag: "max-body", keys: ["limits", "body_bytes"], group: .limits,
            kind: .sizeOrNone(\.limits.bodyBytes),
            summary: "Bytes of a request's body; beyond them it gets 413."),
        Setting(
            flag: "min-body-rate", keys: ["limits", "body_rate"], group: .limits,
            kind: .size(0...1_073_741_824, \.limits.bodyRate),
            summary: "Bytes per second that a body must average after 30 s, or it gets 408; 0 for no limit."),
        Setting(
            flag: "requests-per-connection", keys: ["limits", "requests_per_connection"], group: .limits,
            kind: .whole(1...1_000_000_000, \.limits.requestsPerConnection),
            summary: "Requests on one client connection."),
        Setting(
            flag: "max-connections", keys: ["limits", "connections"], group: .limits,
            kind: .whole(1...10_000_000, \.limits.connections),
            summary: "Client connections in all; lowered at start to what the descriptor limit allows."),
        Setting(
            flag: "body-memory", keys: ["limits", "body_memory"], group: .limits,
            kind: .size(0...1 << 40, \.limits.bodyMemory),
            summary: "Bytes on their way through, in all; beyond them slow clients make the gateway hold less each."),
        Setting(
            flag: "max-visits", keys: ["limits", "visits"], group: .limits,
            kind: .whole(1...100, \.limits.visits),
            summary: "Visits of one request to this gateway, told by Via and CDN-Loop; one more is a loop, and 508."),
        Setting(
            flag: "max-handshakes", keys: ["limits", "handshakes"], group: .limits,
            kind: .whole(1...1_000_000, \.limits.handshakes),
            summary: "TLS handshakes of clients in progress at once; beyond them a new connection is closed."),
    ]

    private static let log: [Setting] = [
        Setting(
            flag: "log", keys: ["log", "path"], group: .log, kind: .path(\.logPath),
            summary: "File that the access log is appended to."),
        Setting(
            flag: "log-format", keys: ["log", "format"], group: .log, kind: .choice(\.logFormat),
            summary: "How a line of the access log is written."),
    ]
}
