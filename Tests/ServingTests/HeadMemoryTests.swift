// SPDX-License-Identifier: Apache-2.0
import Bytes
import Engine
import Glibc
import TestSupport
import Testing

@testable import Serving

/// A listener with what it serves, on a loop of its own.
///
/// `@unchecked Sendable` is safe because it is touched on its loop only, by `perform`.
private final class Served: @unchecked Sendable {
    let loop: Loop
    let places = ClientPlaces(limit: 1_000)
    let listener: Listener
    let service: Service

    init() throws {
        loop = try Loop(index: 0)
        loop.start()
        let socket = try Sockets.listen(on: SocketAddress(ipv4: 0x7F00_0001, port: 0), shared: false)
        service = Service(loop: loop, options: ServingOptions())
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
private final class Client: Sendable {
    let descriptor: Descriptor
    init(_ address: SocketAddress) throws { descriptor = try Sockets.connect(to: address) }
    func send(_ text: StaticString) { _ = unsafe write(descriptor.number, text.utf8Start, text.utf8CodeUnitCount) }
}

@Suite("A head that is not complete") struct HeadMemoryTests {
    @Test("holds no block while its client is silent, however often a byte of it comes")
    func slowHeads() throws {
        let served = try Served()
        let clients = try (0..<100).map { _ in try Client(served.listener.address) }
        for piece in ["G", "ET / HTTP/1.1\r\nHost", ": a"] as [StaticString] {
            for client in clients { client.send(piece) }
            served.wait { served.places.count == 100 }
            // Each has been heard: whoever has a head that waits is not idle.
            served.wait { served.service.door?.idleCount == 0 }
            served.wait { served.loop.smallBlocks.inUse == 0 && served.loop.largeBlocks.inUse == 0 }
        }
        withExtendedLifetime(clients) {}
        served.stop()
    }
}

@Suite("Memory for what is on its way") struct BlockMemoryTests {
    @Test("is scarce beyond its limit, and then bodies come in small pieces")
    func scarce() throws {
        let loop = try Loop(index: 0)
        #expect(!loop.isMemoryScarce)
        loop.blockMemory = 100_000
        let first = loop.largeBlocks.take()
        #expect(!loop.isMemoryScarce)
        #expect(loop.pieceLimit == .max)
        let second = loop.largeBlocks.take()
        #expect(loop.isMemoryScarce)
        #expect(loop.pieceLimit <= loop.smallBlocks.blockSize / 2)
        loop.giveBack(first)
        #expect(!loop.isMemoryScarce)
        loop.giveBack(second)
    }
}
