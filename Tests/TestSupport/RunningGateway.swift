// SPDX-License-Identifier: Apache-2.0
import Glibc
import Engine
import Proxy
public import Settings
import Synchronization

/// A gateway on a port that the system chose, in front of servers on loopback; stopped when it goes away.
public final class RunningGateway {
    private let gateway: Gateway
    private let folder = TemporaryFolder()
    private var isStopped = false

    /// Where it listens on loopback.
    public let port: UInt16

    /// Starts one in front of servers on these ports.
    public init(
        upstreams: [UInt16], workers: Int = 1, _ configure: (inout Configuration) -> Void = { _ in }
    ) throws {
        var configuration = Configuration()
        configuration.workers = workers
        configuration.listeners = [.init(address: "127.0.0.1", port: 0)]
        configuration.pools = [
            .init(name: "default", servers: upstreams.map { Configuration.Server(host: "127.0.0.1", port: $0) })
        ]
        configuration.logPath = folder.file("access.log")
        configuration.timeouts.drain = 100
        configuration.cache.isOn = false
        configure(&configuration)
        gateway = try Gateway(configuration) { _ in }
        port = gateway.listening[0].address.port
    }

    deinit { stop() }

    /// A client's connection to it.
    public func connect(receiveBuffer: Int32? = nil) -> Peer { Peer(port: port, receiveBuffer: receiveBuffer) }

    /// Sends `request` on a connection of its own and returns everything that comes back until the gateway closes, or,
    /// for a persistent connection, the one response.
    public func exchange(_ request: String) -> String {
        let peer = connect()
        peer.send(request)
        let message = peer.receiveMessage()
        return message.head + message.body
    }

    /// Stops it in order and returns how many connections were cut.
    @discardableResult public func stop() -> Int {
        guard !isStopped else { return 0 }
        isStopped = true
        return gateway.stop { false }
    }

    /// The access log's lines, once the gateway is stopped.
    public func log() -> [String] {
        stop()
        return contents(of: folder.file("access.log")).split(separator: "\n").map(String.init)
    }
}
