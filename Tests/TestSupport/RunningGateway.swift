// SPDX-License-Identifier: Apache-2.0
import Glibc
import Bytes
import Engine
import Control
public import Proxy
public import Settings
import Synchronization
public import Testing

/// A gateway on a port that the system chose, in front of servers on loopback; stopped when it goes away.
public final class RunningGateway {
    private let gateway: Gateway
    private let folder = TemporaryFolder()
    /// Of its cache; kept until the gateway has stopped, which would make it anew.
    private let cacheFolder: TemporaryFolder?
    private var isStopped = false
    private let told = Told()

    /// Where it listens on loopback.
    public let port: UInt16
    /// Where it listens through TLS; 0 when it does not.
    public let tlsPort: UInt16

    private final class Told: Sendable {
        let sentences = Lock<[String]>([])
    }

    /// Starts one in front of servers on these ports. With `certificates`, it listens through TLS on a second port; with a folder, it
    /// caches in `cache` there.
    public init(
        upstreams: [UInt16], workers: Int = 1, certificates: [TestCertificate] = [],
        cachingIn cacheFolder: TemporaryFolder? = nil,
        _ configure: (inout Configuration) -> Void = { _ in }
    ) throws {
        var configuration = Configuration()
        configuration.workers = workers
        configuration.listeners = [.init(address: "127.0.0.1", port: 0)]
        configuration.pools = [
            .init(name: "default", servers: upstreams.map { Configuration.Server(host: "127.0.0.1", port: $0) })
        ]
        // Most tests count what a server gets.
        configuration.pools[0].settings.check.isOn = false
        configuration.logPath = folder.file("access.log")
        configuration.timeouts.drain = 100
        self.cacheFolder = cacheFolder
        configuration.cache.isOn = cacheFolder != nil
        configuration.cache.directory = cacheFolder?.file("cache")
        if !certificates.isEmpty {
            configuration.listeners.append(.init(address: "127.0.0.1", port: 0, isTLS: true))
            for (index, certificate) in certificates.enumerated() {
                let path = folder.write(certificate.pem, to: "certificate-\(index).pem")
                configuration.tls.certificates.append(.init(certificate: path, key: path))
            }
        }
        configure(&configuration)
        let told = told
        gateway = try Gateway(configuration) { sentence in told.sentences.withLock { $0.append(sentence) } }
        port = gateway.listening[0].address.port
        tlsPort = gateway.listening.first { $0.isTLS }?.address.port ?? 0
    }

    deinit { stop() }

    /// A client's connection to it.
    public func connect(receiveBuffer: Int32? = nil, from host: UInt8 = 1) -> Peer {
        Peer(port: port, receiveBuffer: receiveBuffer, from: host)
    }

    /// A client's connection to it through TLS, asking for `name`.
    public func connectSecurely(
        _ side: TLSSide = .client(), name: String? = "localhost", resuming session: SecurePeer.Session? = nil,
        receiveBuffer: Int32? = nil
    ) -> SecurePeer {
        SecurePeer(port: tlsPort, side, name: name, resuming: session, receiveBuffer: receiveBuffer)
    }

    /// Writes another file in place of the certificate with this number, and has the gateway read all of them.
    public func replaceCertificate(_ index: Int, by text: String) {
        folder.write(text, to: "certificate-\(index).pem")
        gateway.reloadCertificates()
    }

    /// A connection to its admin address, which the configuration must have.
    public func connectToAdmin() -> Peer { Peer(port: gateway.adminAddress?.port ?? 0) }

    /// What it has told its operator so far.
    public var reports: [String] { told.sentences.withLock { $0 } }

    /// What each of its loops has counted.
    public var counters: [Counters] { gateway.counters }

    /// Client connections that are open now.
    public var openConnections: Int { gateway.openConnections }

    /// Waits until so many client connections are open; false when it does not come to that.
    public func waitForConnections(_ count: Int) -> Bool { comesTrue { openConnections == count } }

    /// Waits until every loop has looked at all that clients have sent so far. A loop hears of its clients in the order in which they
    /// spoke, so it has looked at the others when it refuses one that came last; that one counts, and is in the log.
    public func hearAll(sourceLocation: SourceLocation = #_sourceLocation) {
        func refused() -> [Int] { counters.map { $0.refused.load(ordering: .relaxed) } }
        let before = refused()
        eventually("every loop refuses a client", sourceLocation: sourceLocation) {
            _ = exchange("?\r\n\r\n")
            return zip(before, refused()).allSatisfy { $0 < $1 }
        }
    }

    /// Lets the loops stand still, so that what peers do meanwhile comes to them in one batch.
    public func holdLoops(milliseconds: Int) {
        gateway.onEveryLoop { _ in _ = poll(nil, 0, Int32(milliseconds)) }
    }

    /// Does `work` while its loop, which must be the only one, stands still: it hears of all that in one batch.
    public func whileTheLoopStands(_ work: @Sendable () -> Void) { gateway.onEveryLoop { _ in work() } }

    /// Requests that have waited for a place at a server so far.
    public var waitedRequests: Int { gateway.waitedRequests }

    /// Responses that its cache has written so far, those that were brought up to date included.
    public var storedResponses: Int { gateway.storedResponses }

    /// Blocks that its loops have handed out.
    public var blocksInUse: Int {
        let count = Atomic<Int>(0)
        gateway.onEveryLoop { count.add($0.smallBlocks.inUse + $0.largeBlocks.inUse, ordering: .relaxed) }
        return count.load(ordering: .relaxed)
    }

    /// Waits until so many blocks are handed out; false when it does not come to that.
    public func waitForBlocks(_ count: Int) -> Bool { comesTrue { blocksInUse == count } }

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
