// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Testing

@testable import Serving

/// A listener with few places, on a loop of its own.
///
/// `@unchecked Sendable` is safe because it is touched on its loop only, by `perform`.
private final class FewPlaces: @unchecked Sendable {
    let loop: Loop
    let places = ClientPlaces(limit: 8)
    let listener: Listener
    let service: Service

    init(waiting: Int) throws {
        loop = try Loop(index: 0)
        loop.start()
        places.lower(to: 8, waiting: waiting)
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
}

/// A client's end of a connection on which a head is begun.
private final class Waiting {
    let descriptor: Descriptor
    init(_ address: SocketAddress) throws {
        descriptor = try Sockets.connect(to: address)
        let head = "GET / HT" as StaticString
        _ = unsafe write(descriptor.number, head.utf8Start, head.utf8CodeUnitCount)
    }
}

@Suite("Clients for whom there is no place") struct WaitingTests {
    @Test("wait in no greater number than the process has descriptors for", arguments: [1, 2, 5])
    func bounded(_ waiting: Int) throws {
        let served = try FewPlaces(waiting: waiting)
        let clients = try (0..<60).map { _ in try Waiting(served.listener.address) }
        // Whoever is too many is closed at last; those who are left have a place, or wait.
        var most = 0
        var waited = 0
        while served.loop.perform({ served.places.refused }) < 60 - 7 - waiting, waited < 30_000 {
            most = max(most, served.loop.perform { served.places.count })
            _ = poll(nil, 0, 10)
            waited += 10
        }
        #expect(most <= 7 + waiting)
        #expect(served.loop.perform { served.places.count } == 7 + waiting)
        served.stop()
        withExtendedLifetime(clients) {}
    }
}
