// SPDX-License-Identifier: Apache-2.0
// A small web server to stand behind the gateway: static files, and paths that make testing real. The gateway embeds three
// of them as its default upstream servers, so that a fresh machine needs nothing else.

public import Engine
public import Serving

/// What a loop needs to answer as an origin.
public final class OriginService: Service {
    /// The name that the answers give.
    public let name: String
    let root: Root?
    private var spares: [OriginExchange] = []

    /// A service named `name`; `root` is the directory of static files, or nil for none.
    public init(name: String, root: Root?, loop: Loop) {
        self.name = name
        self.root = root
        super.init(loop: loop, options: ServingOptions())
    }

    public override func makeExchange() -> Exchange { spares.popLast() ?? OriginExchange(service: self) }

    public override func recycle(_ exchange: Exchange) {
        guard let exchange = exchange as? OriginExchange, spares.count < 64 else { return }
        spares.append(exchange)
    }
}

/// An origin that listens.
public final class OriginServer: Sendable {
    /// Where it listens.
    public let address: SocketAddress
    private let loop: Loop
    private let places = ClientPlaces(limit: 100_000)

    /// What is used on the loop only.
    ///
    /// `@unchecked Sendable` is safe because it is made here and then touched only within `loop.perform`.
    private final class Confined: @unchecked Sendable {
        let service: OriginService
        let listener: Listener
        init(service: OriginService, listener: Listener) {
            self.service = service
            self.listener = listener
        }
    }
    private let confined: Confined

    /// Begins to serve on a loop that has been started.
    ///
    /// - Parameters:
    ///   - name: What the answers call it.
    ///   - root: A directory of static files, or nil.
    ///   - wanted: Address and port; port 0 lets the system choose.
    ///   - report: Told in a sentence when something goes wrong while serving.
    public init(
        name: String, root: String?, at wanted: SocketAddress, on loop: Loop,
        report: @escaping @Sendable (String) -> Void
    ) throws(SystemFailure) {
        self.loop = loop
        var directory: Root?
        if let root { directory = try Root(path: root) }
        let service = OriginService(name: name, root: directory, loop: loop)
        let listener = Listener(
            try Sockets.listen(on: wanted, shared: false), service: service, places: places, report: report)
        address = listener.address
        confined = Confined(service: service, listener: listener)
        let confined = confined
        loop.perform {
            do throws(SystemFailure) {
                try confined.listener.start()
            } catch {
                report("the origin \(confined.service.name) cannot listen: \(error)")
            }
        }
    }

    /// Stops accepting and closes connections as they become idle.
    public func stop() {
        let confined = confined
        loop.perform {
            confined.listener.stop()
            confined.service.drain(grace: 200)
        }
    }

    /// Connections that are open now.
    public var openConnections: Int { places.count }
}
