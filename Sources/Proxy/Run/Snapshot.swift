// SPDX-License-Identifier: Apache-2.0
// A configuration made ready to serve, in two layers: what all loops share, and each loop's view of it. An exchange holds
// the view that it started with, so a new configuration can take over for new exchanges while the old one's finish.

import Engine
import Glibc
public import Settings
import Synchronization
import TLS
public import Upstream

/// What a configuration means, once its names are resolved. Immutable but for the atomics of the servers.
public final class Snapshot: Sendable {
    /// The configuration it was made from.
    public let configuration: Configuration
    /// In the order of the configuration.
    public let pools: [ServerPool]
    let routes: RouteTable
    /// The value of `Strict-Transport-Security`, or empty.
    let hsts: [UInt8]
    /// Where plain HTTP is sent to; settled once the listeners stand, since the system may choose a port.
    var redirectPort: UInt16 { UInt16(truncatingIfNeeded: tlsPort.load(ordering: .relaxed)) }
    private let tlsPort = Atomic<Int>(443)
    func redirect(toPort port: UInt16) { tlsPort.store(Int(port), ordering: .relaxed) }

    /// Resolves the names of every upstream server. Blocks while it asks the system's resolver.
    ///
    /// - Parameter report: Told in a sentence what happens to upstream servers; called from any thread.
    public init(
        _ configuration: Configuration, report: @escaping @Sendable (String) -> Void
    ) throws(StartFailure) {
        self.configuration = configuration
        let needsTLS = configuration.pools.contains { $0.servers.contains(where: \.isTLS) }
        let tls = needsTLS ? try Self.clientTLS(configuration.upstreamTLS) : nil
        var pools: [ServerPool] = []
        for pool in configuration.pools {
            var servers: [UpstreamServer] = []
            for server in pool.servers {
                switch Sockets.resolve(server.host, port: server.port) {
                case .success(let addresses):
                    let security = server.isTLS ? tls.map { ServerSecurity($0, host: server.host) } : nil
                    servers += AddressGroups.of(addresses).map {
                        UpstreamServer(server, addresses: $0, security: security)
                    }
                case .failure(let failure):
                    throw StartFailure(
                        "--upstream \(server.url): the name \(failure.host) does not resolve: \(failure.reason)"
                    )
                }
            }
            pools.append(ServerPool(name: pool.name, servers: servers, settings: pool.settings, report: report))
        }
        self.pools = pools
        routes = RouteTable(configuration)
        let seconds = configuration.tls.hstsSeconds
        hsts = seconds > 0 ? Array("max-age=\(seconds)".utf8) : []
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
final class LoopView {
    let snapshot: Snapshot
    /// In the order of the configuration.
    let pools: [PoolView]

    init(_ snapshot: Snapshot, loop: Loop, loops: Int, report: @escaping @Sendable (String) -> Void) {
        self.snapshot = snapshot
        let options = UpstreamOptions(snapshot.configuration, loops: loops, report: report)
        pools = snapshot.pools.map { PoolView($0, loop: loop, options: options) }
    }

    func closeIdle() {
        for pool in pools { pool.closeIdle() }
    }
}
