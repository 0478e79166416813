// SPDX-License-Identifier: Apache-2.0
// A configuration made ready to serve, in two layers: what all loops share, and each loop's view of it. An exchange holds
// the view that it started with, so a new configuration can take over for new exchanges while the old one's finish.

import Engine
public import Settings
public import Upstream

/// What a configuration means, once its names are resolved. Immutable but for the atomics of the servers.
public final class Snapshot: Sendable {
    /// The configuration it was made from.
    public let configuration: Configuration
    /// In the order of the configuration.
    public let pools: [ServerPool]
    let routes: RouteTable

    /// Resolves the names of every upstream server. Blocks while it asks the system's resolver.
    public init(_ configuration: Configuration) throws(StartFailure) {
        self.configuration = configuration
        var pools: [ServerPool] = []
        for pool in configuration.pools {
            var servers: [UpstreamServer] = []
            for server in pool.servers {
                switch Sockets.resolve(server.host, port: server.port) {
                case .success(let addresses): servers.append(UpstreamServer(server, addresses: addresses))
                case .failure(let failure):
                    throw StartFailure(
                        "--upstream http://\(server.authority): the name \(failure.host) does not resolve: \(failure.reason)"
                    )
                }
            }
            pools.append(ServerPool(name: pool.name, servers: servers))
        }
        self.pools = pools
        routes = RouteTable(configuration)
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
    var balancers: [Balancer]
    let connections: [[ConnectionPool]]

    init(_ snapshot: Snapshot, loop: Loop, loops: Int) {
        self.snapshot = snapshot
        balancers = snapshot.pools.map { Balancer($0) }
        let options = UpstreamOptions(snapshot.configuration, loops: loops)
        connections = snapshot.pools.map { pool in
            pool.servers.map { ConnectionPool(loop: loop, server: $0, pool: pool, options: options) }
        }
    }

    func closeIdle() {
        for pool in connections {
            for server in pool { server.closeIdle() }
        }
    }
}
