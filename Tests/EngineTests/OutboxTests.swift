// SPDX-License-Identifier: Apache-2.0
// The outbox in front of a layer such as TLS, which takes bytes until it refuses.

import Bytes
import Testing

@testable import Engine

/// Takes bytes and remembers them as records; refuses from a certain number of bytes on until it is flushed.
private final class FakeLayer: TransportLayer {
    private(set) var records: [[UInt8]] = []
    /// Records that the kernel has.
    private(set) var sent = 0
    /// Whether the farewell was taken; taking it again changes nothing.
    private(set) var hasFarewell = false
    /// All that was taken.
    private(set) var bytes: [UInt8] = []
    /// Bytes in all after which no more are taken; nil for no limit.
    var limit: Int?
    /// How often a flush is refused before one is taken.
    var refusals = 0
    var failure: Int32?
    private var isRefused = false

    override func take(_ bytes: Span<UInt8>) -> Taken {
        if let failure { return .failed(failure) }
        #expect(!hasFarewell, "something is taken behind the farewell")
        var total = 0
        while total < bytes.count, !isRefused {
            var record: [UInt8] = []
            for index in total..<min(bytes.count, total + 16_384) { record.append(bytes[index]) }
            records.append(record)
            self.bytes += record
            total += record.count
            // Like TLS, it takes whole records, and notices only afterwards that the kernel took less.
            if let limit, self.bytes.count >= limit { isRefused = true }
        }
        return .bytes(total)
    }

    override func flush() -> Outbox.Outcome {
        if let failure { return .failed(failure) }
        if isRefused, refusals > 0 {
            refusals -= 1
            return .blocked
        }
        isRefused = false
        limit = nil
        for record in records[sent...] { sentBytes += UInt64(record.count + 22) }
        sent = records.count
        return .sent
    }

    override func takeFarewell() { hasFarewell = true }
}

@Suite("An outbox in front of a layer") struct OutboxTests {
    private func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
        (start..<(start + count)).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
    }

    /// An outbox with a layer; the blocks must be back when `body` is done.
    private func withOutbox(_ body: (inout Outbox, FakeLayer, Transport) throws -> Void) throws {
        let loop = try Loop(index: 0)
        let layer = FakeLayer()
        var outbox = Outbox(on: loop)
        try body(&outbox, layer, Transport(fd: -1, layer: layer))
        outbox.releaseAll()
        #expect(loop.smallBlocks.inUse == 0 && loop.largeBlocks.inUse == 0)
    }

    @Test("stages small pieces and hands them over as one record")
    func small() throws {
        try withOutbox { outbox, layer, transport in
            outbox.append("head")
            for piece in ["a", "bc", "def"] { #expect(outbox.send(Array(piece.utf8).span, to: transport) == .sent) }
            #expect(outbox.send(Array("g".utf8).span, tail: "\r\n", to: transport) == .sent)
            #expect(layer.records.isEmpty)
            #expect(outbox.flush(to: transport) == .sent)
            #expect(layer.records == [Array("headabcdefg\r\n".utf8)])
            #expect(outbox.isEmpty && !outbox.isBlocked)
            #expect(!layer.hasFarewell)
            #expect(outbox.sentBytes == layer.sentBytes)
        }
    }

    @Test("fills the record of a head with the body, sends whole records and keeps the rest for more")
    func merging() throws {
        try withOutbox { outbox, layer, transport in
            outbox.append("head")
            #expect(outbox.send(pattern(50_000).span, tail: "end", to: transport) == .sent)
            #expect(layer.records.map(\.count) == [16_384, 16_384, 16_384])
            #expect(outbox.flush(to: transport) == .sent)
            #expect(layer.records.map(\.count) == [16_384, 16_384, 16_384, 4 + 50_000 + 3 - 3 * 16_384])
            #expect(layer.bytes == Array("head".utf8) + pattern(50_000) + Array("end".utf8))
        }
    }

    @Test("says farewell with the last flush and not before")
    func farewell() throws {
        try withOutbox { outbox, layer, transport in
            _ = outbox.send(pattern(40_000).span, to: transport)
            #expect(!layer.hasFarewell)
            #expect(outbox.flush(to: transport, ending: true) == .sent)
            #expect(layer.hasFarewell)
        }
    }

    @Test("does not say farewell while it holds bytes that were refused")
    func lateFarewell() throws {
        try withOutbox { outbox, layer, transport in
            layer.limit = 1
            layer.refusals = 2
            #expect(outbox.send(pattern(40_000).span, to: transport) == .blocked)
            #expect(outbox.flush(to: transport, ending: true) == .blocked)
            #expect(!layer.hasFarewell)
            layer.refusals = 0
            #expect(outbox.flush(to: transport, ending: true) == .sent)
            #expect(layer.hasFarewell)
            #expect(layer.bytes == pattern(40_000))
        }
    }

    /// Pieces around the sizes at which something changes: copying, records, blocks.
    static let sizes = [0, 1, 4095, 4096, 4097, 16_380, 16_384, 16_385, 32_768, 40_000, 65_536, 65_537, 100_000]

    @Test("keeps every byte in order, wherever the layer refuses", arguments: sizes)
    func refusals(_ size: Int) throws {
        for limit in [nil, 1, 4, 5, 4100, 16_384, 16_385, 32_768, 60_000, 65_536, 100_000, 150_000] as [Int?] {
            for refusals in [0, 1, 3] {
                try withOutbox { outbox, layer, transport in
                    layer.limit = limit
                    layer.refusals = refusals
                    var expected: [UInt8] = []
                    func note(_ text: String) { expected += Array(text.utf8) }
                    for round in 0..<3 {
                        outbox.append("head")
                        note("head")
                        let body = pattern(size, from: round)
                        expected += body
                        note("\r\n")
                        let outcome = outbox.send(body.span, tail: "\r\n", to: transport)
                        #expect((outcome == .blocked) == outbox.isBlocked)
                        let small = pattern(100, from: round)
                        expected += small
                        let second = outbox.send(small.span, to: transport)
                        #expect((second == .blocked) == outbox.isBlocked)
                        check(layer.bytes, isPrefixOf: expected)
                    }
                    var turns = 0
                    while outbox.flush(to: transport, ending: true) != .sent, turns < 10 { turns += 1 }
                    #expect(turns <= refusals + 1)
                    let isSame = layer.bytes == expected
                    #expect(isSame, "\(size) bytes, refused after \(limit ?? -1)")
                    #expect(outbox.isEmpty && !outbox.isBlocked)
                    #expect(layer.hasFarewell)
                    #expect(layer.sent == layer.records.count)
                    #expect(outbox.sentBytes == layer.sentBytes)
                }
            }
        }
    }

    private func check(_ bytes: [UInt8], isPrefixOf expected: [UInt8]) {
        let isPrefix = expected.starts(with: bytes)
        #expect(isPrefix)
    }

    @Test("hands nothing over while the layer refuses")
    func blocked() throws {
        try withOutbox { outbox, layer, transport in
            layer.limit = 1
            layer.refusals = 100
            #expect(outbox.send(pattern(40_000).span, to: transport) == .blocked)
            let before = layer.records.count
            #expect(outbox.send(pattern(40_000).span, to: transport) == .blocked)
            #expect(outbox.send(pattern(10).span, to: transport) == .blocked)
            #expect(outbox.flush(to: transport) == .blocked)
            #expect(layer.records.count == before)
        }
    }

    @Test("passes a failure on and still gives its blocks back", arguments: [10, 40_000])
    func failure(_ size: Int) throws {
        try withOutbox { outbox, layer, transport in
            outbox.append("head")
            layer.failure = 32
            _ = outbox.send(pattern(size).span, to: transport)
            #expect(outbox.flush(to: transport) == .failed(32))
        }
    }
}
