// SPDX-License-Identifier: Apache-2.0
public import Engine
import Glibc

/// Accepts clients on one loop and makes a connection of each.
public final class Listener: Acceptor {
    private let service: Service
    private let door: Door
    private let security: HandshakeDesk?
    private let report: @Sendable (String) -> Void
    /// When it was last said that all places are taken, in milliseconds, or 0.
    private var reported: UInt64 = 0

    /// How often it is said that all places are taken, in milliseconds.
    private static let reportEvery: UInt64 = 10_000

    /// A listener that serves `service`, in the clear or through TLS where there is `security`. `report` is told in a
    /// sentence when accepting has to pause.
    public init(
        _ listener: consuming Descriptor, service: Service, places: ClientPlaces, security: HandshakeDesk? = nil,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.service = service
        // The listeners of a loop share a door.
        if let open = service.door, open.places === places {
            door = open
        } else {
            door = Door(loop: service.loop, places: places)
            service.door = door
        }
        self.security = security
        self.report = report
        super.init(listener, on: service.loop)
    }

    public override func start() throws(SystemFailure) {
        try super.start()
        door.open(self)
    }

    public override func stop() {
        super.stop()
        door.close(self)
    }

    public override func mayAccept() -> Bool {
        if door.mayAccept(self) { return true }
        if !door.places.hasRoom, reported == 0 || loop.milliseconds &- reported >= Self.reportEvery {
            reported = max(1, loop.milliseconds)
            report(
                "who comes has to wait: all \(door.places.limit) client connections are in use, and none of them idles "
                    + "(--max-connections)")
        }
        return false
    }

    public override func accepted(_ descriptor: consuming Descriptor, from peer: SocketAddress) {
        door.accepted(descriptor, from: peer, by: self)
    }

    /// Serves a connection that has a place.
    func begin(_ descriptor: consuming Descriptor, _ place: Place) {
        if let security {
            security.begin(descriptor, place: place, service: service)
        } else {
            let connection = HTTP1Connection(descriptor, layer: nil, place: place, service: service)
            connection.start()
        }
    }

    public override func exhausted(_ code: Int32) {
        report(
            "accepting pauses for \(Acceptor.rest) ms: accept4: \(SystemFailure.reason(code)); raise the descriptor limit "
                + "(ulimit -n)")
        loop.spareDescriptors()
    }
}
