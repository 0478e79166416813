// SPDX-License-Identifier: Apache-2.0
// A configuration made ready to serve, in two layers: what all loops share, and each loop's view of it. An exchange holds
// the view that it started with, so a new configuration can take over for new exchanges while the old one's finish.

package import Engine
import Glibc
public import Settings
import Synchronization
package import TLS
public import Upstream

/// What a configuration means, once its names are resolved. Immutable but for the atomics of the servers.
public final class Snapshot: Sendable {
    /// The configuration it was made from.
    public let configuration: Configuration
    /// In the order of the configuration.
    public let pools: [ServerPool]
    /// What follows the names of their servers.
    package let discovery: Discovery
    /// How upstream servers are spoken to through TLS; nil when none of the settings is.
    package let tls: ClientTLS?
    package let routes: RouteTable
    /// The value of `Strict-Transport-Security`, or empty.
    let hsts: [UInt8]
    /// By which the gateway knows what it has forwarded before.
    let mark = VisitMark()
    /// Where plain HTTP is sent to; settled once the listeners stand, since the system may choose a port.
    var redirectPort: UInt16 { UInt16(truncatingIfNeeded: tlsPort.load(ordering: .relaxed)) }
    private let tlsPort = Atomic<Int>(443)
    package func redirect(toPort port: UInt16) { tlsPort.store(Int(port), ordering: .relaxed) }

    /// How long the start waits for names to be looked up, in milliseconds. What takes longer joins its pool later.
    private static let patience = 5_000

    /// Looks the names of upstream servers up for the first time, and blocks meanwhile.
    ///
    /// - Parameter report: Told in a sentence what happens to upstream servers; called from any thread.
    public init(
        _ configuration: Configuration, report: @escaping @Sendable (String) -> Void
    ) throws(StartFailure) {
        self.configuration = configuration
        let needsTLS = configuration.pools.contains { $0.servers.contains(where: \.isTLS) }
        tls = needsTLS ? try Self.clientTLS(configuration.upstreamTLS) : nil
        let tls = tls
        var followed: [[FollowedName?]] = []
        for pool in configuration.pools {
            followed.append(
                pool.servers.map { server in
                    if SocketAddress(numeric: server.host, port: server.port) != nil { return nil }
                    return FollowedName(server, report: report) {
                        server.isTLS ? tls.map { ServerSecurity($0, server, of: pool.settings) } : nil
                    }
                })
        }
        let resolvers = configuration.discovery.resolvers.compactMap {
            SocketAddress(numeric: $0.address, port: $0.port)
        }
        discovery = Discovery(
            followed.flatMap { $0.compactMap(\.self) }, resolver: NameResolver(servers: resolvers),
            ceiling: configuration.discovery.interval)
        discovery.start(patience: Self.patience)
        pools = configuration.pools.enumerated().map { index, pool in
            Self.pool(pool, followed[index], tls, report)
        }
        routes = RouteTable(configuration)
        let seconds = configuration.tls.hstsSeconds
        hsts = seconds > 0 ? Array("max-age=\(seconds)".utf8) : []
    }

    private static func pool(
        _ settings: Configuration.Pool, _ followed: [FollowedName?], _ tls: ClientTLS?,
        _ report: @escaping @Sendable (String) -> Void
    ) -> ServerPool {
        var servers: [UpstreamServer] = []
        var given: [[UpstreamServer]] = []
        for (index, server) in settings.servers.enumerated() {
            let found: [UpstreamServer]
            if let name = followed[index] {
                found = name.servers
            } else if let address = SocketAddress(numeric: server.host, port: server.port) {
                let security = server.isTLS ? tls.map { ServerSecurity($0, server, of: settings.settings) } : nil
                found = [UpstreamServer(server, addresses: [address], security: security)]
            } else {
                found = []
            }
            servers += found
            given.append(found)
        }
        let pool = ServerPool(
            name: settings.name, servers: servers, settings: settings.settings, at: MonotonicClock.milliseconds,
            report: report)
        for (index, name) in followed.enumerated() { name?.join(pool, given: given[index]) }
        return pool
    }

    private static func clientTLS(_ settings: Configuration.UpstreamTLS) throws(StartFailure) -> ClientTLS {
        do throws(TLSFileProblem) {
            var policy = ClientTLS.Policy(verifies: settings.verifies)
            if let path = settings.ca { policy.authorities = try TrustedAuthorities(path: path) }
            if let certificate = settings.certificate {
                policy.certificate = try CertificatePair.load(
                    certificate: certificate, key: settings.key ?? certificate, now: time(nil))
            }
            return try ClientTLS(policy: policy)
        } catch {
            throw StartFailure("TLS to upstream servers: \(error.sentence)")
        }
    }
}

/// Something without which the gateway does not start, in a sentence for people.
public struct StartFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The sentence.
    public let description: String
    /// The sentence, beginning with the flag or the thing concerned.
    public init(_ description: String) { self.description = description }
}

/// One loop's view of a snapshot.
package final class LoopView {
    package let snapshot: Snapshot
    /// In the order of the configuration.
    let pools: [PoolView]

    package init(_ snapshot: Snapshot, loop: Loop, loops: Int, report: @escaping @Sendable (String) -> Void) {
        self.snapshot = snapshot
        let options = UpstreamOptions(snapshot.configuration, loops: loops, report: report)
        pools = snapshot.pools.map { PoolView($0, loop: loop, options: options) }
    }

    package func closeIdle() {
        for pool in pools { pool.closeIdle() }
    }
}
