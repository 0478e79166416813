// SPDX-License-Identifier: Apache-2.0

import Bytes
import Engine
import Glibc
import Testing

@Suite("Whether a connection is quiet") struct QuietTests {
    @Test("asking takes nothing away, the error of a reset least of all")
    func reset() throws {
        let (near, far) = try connected()
        #expect(Sockets.isQuiet(near.number))
        let letters: [UInt8] = [97, 98]
        #expect(unsafe write(far, letters, 2) == 2)
        Sockets.abortOnClose(far)
        close(far)
        let block = Block(capacity: 16)
        #expect(!Sockets.isQuiet(near.number))
        #expect(Sockets.receive(near.number, into: block, limit: 16) == .bytes(2))
        #expect(!Sockets.isQuiet(near.number))
        #expect(Sockets.receive(near.number, into: block, limit: 14) == .failed(ECONNRESET))
    }

    @Test("an end in order is not quiet")
    func end() throws {
        let (near, far) = try connected()
        close(far)
        #expect(!Sockets.isQuiet(near.number))
        #expect(Sockets.receive(near.number, into: Block(capacity: 16), limit: 16) == .closed)
    }

    private func connected() throws -> (Holder, Int32) {
        let listener = try Holder(Sockets.listen(on: SocketAddress(ipv4: 0x7F00_0001, port: 0), shared: false))
        let address = try #require(Sockets.localAddress(listener.number))
        let near = try Holder(Sockets.connect(to: address))
        var waiting = pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)
        #expect(unsafe poll(&waiting, 1, 10_000) == 1)
        return (near, accept(listener.number, nil, nil))
    }
}
