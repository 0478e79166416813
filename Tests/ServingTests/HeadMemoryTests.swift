// SPDX-License-Identifier: Apache-2.0
import Bytes
import Engine
import TestSupport
import Testing

@testable import Serving

@Suite("A head that is not complete") struct HeadMemoryTests {
    @Test("holds no block while its client is silent, however often a byte of it comes")
    func slowHeads() throws {
        let served = try Served()
        let clients = try (0..<100).map { _ in try ClientEnd(served.listener.address) }
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
