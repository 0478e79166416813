// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import TestSupport
import Testing

@testable import Serving

/// A listener with what it serves, on a loop of its own.
///
/// `@unchecked Sendable` is safe because it is touched on its loop only, by `perform`.
final class Served: @unchecked Sendable {
    let loop: Loop
    let places: ClientPlaces
    let listener: Listener
    let service: Service

    /// - Parameter waiting: Connections that may wait for a place; nil for as many as usual.
    init(places limit: Int = 1_000, waiting: Int? = nil) throws {
        loop = try Loop(index: 0)
        loop.start()
        places = ClientPlaces(limit: limit)
        if let waiting { places.lower(to: limit, waiting: waiting) }
        let socket = try Sockets.listen(on: SocketAddress(ipv4: 0x7F00_0001, port: 0), shared: false)
        var options = ServingOptions()
        options.headerTimeout = 60_000
        service = Service(loop: loop, options: options)
        listener = Listener(socket, service: service, places: places, report: { _ in })
        loop.perform { try? self.listener.start() }
    }

    func stop() {
        loop.perform {
            listener.stop()
            service.cut()
        }
    }

    /// Waits until `condition` holds on the loop.
    func wait(sourceLocation: SourceLocation = #_sourceLocation, _ condition: @Sendable () -> Bool) {
        eventually(sourceLocation: sourceLocation) { loop.perform(condition) }
    }
}

/// A client's end of a connection.
final class ClientEnd: Sendable {
    let descriptor: Descriptor
    init(_ address: SocketAddress) throws { descriptor = try Sockets.connect(to: address) }
    func send(_ text: StaticString) { _ = unsafe write(descriptor.number, text.utf8Start, text.utf8CodeUnitCount) }
}
