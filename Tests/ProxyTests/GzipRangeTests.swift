// SPDX-License-Identifier: Apache-2.0
// Parts of what is stored as gzip: they cost what they deliver and a little, wherever they are.

import Bytes
import CachePolicy
import CacheStore
import ContentCoding
import Foundation
import Glibc
import Settings
import TestSupport
import Testing

@testable import Proxy

@Suite("A part of what is stored as gzip") struct GzipRangeTests {
    private static let html = "Content-Type: text/html\nETag: \"v1\"\nCache-Control: max-age=60"
    private let folder = TemporaryFolder()

    private func gateway(_ origin: ScriptedServer) throws -> RunningGateway {
        try RunningGateway(upstreams: [origin.port], cachingIn: folder)
    }

    private func store(_ gateway: RunningGateway) -> CodedReply {
        gateway.get("/", "Accept-Encoding: gzip") { $0.isHit && $0["content-length"] != nil }
    }

    /// Stored as a file, and small enough for memory.
    @Test("is what it is of the whole, at every place at which inflating begins", arguments: [true, false])
    func everywhere(_ isLarge: Bool) throws {
        let size = 5 * Int(RestartIndex.interval) + 77
        let body = isLarge ? text(size) : [UInt8](repeating: 0x61, count: size)
        let server = server { _ in response(Self.html, body, isChunked: !isLarge) }
        let gateway = try gateway(server)
        defer { gateway.stop() }
        let whole = store(gateway)
        #expect(whole.isGzip)
        // Nothing of the index is sent.
        #expect(whole.content == body)
        #expect(gunzipLength(whole.body) == whole.body.count)
        #expect(gateway.get("/").body == body)
        let step = Int(RestartIndex.interval)
        var starts = [0, 1, size - 1]
        for place in 1...5 { starts += [place * step - 1, place * step, place * step + 1] }
        for start in starts {
            for count in [1, 1000, step + 10] {
                let range = start..<min(size, start + count)
                let part = gateway.get("/", "Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)")
                #expect(part.status == 206)
                #expect(part.isWhole && part.body == Array(body[range]), "\(range)")
            }
        }
        #expect(gateway.get("/", "Range: bytes=-1").body == body.suffix(1))
        #expect(server.requests.count == 1)
    }

    @Test("reads of the stored form only what it needs")
    func readsLittle() throws {
        let body = text(3_000_000)
        let server = server { _ in response(Self.html, body) }
        do {
            let gateway = try gateway(server)
            let whole = store(gateway)
            #expect(whole.body.count > 1_000_000)
            gateway.stop()
        }
        // The second 64 KiB of the gzip, which nothing of the last 256 KiB of its content needs.
        let walk = FileManager.default.enumerator(atPath: folder.path)
        let name = walk?.compactMap { $0 as? String }.first {
            $0.split(separator: "/").last.map { $0.count > 30 } == true
        }
        let file = unsafe open("\(folder.path)/\(try #require(name))", O_WRONLY)
        var byte: UInt8 = 0
        unsafe #expect(pwrite(file, &byte, 1, 100_000) == 1)
        close(file)
        let gateway = try gateway(server)
        defer { gateway.stop() }
        let part = gateway.get("/", "Range: bytes=-100")
        #expect(part.status == 206)
        #expect(part.body == body.suffix(100))
        #expect(!gateway.get("/").isWhole)
    }

    @Test("is not sent where it would cost more, as of what an earlier version stored: the whole is")
    func withoutIndex() {
        var coding = StoredCoding(gzip: RestartIndex.interval)
        #expect(coding.hasParts)
        coding.identityLength = RestartIndex.interval + 1
        #expect(!coding.hasParts)
        #expect(coding.contentLength(of: 1000) == 1000)
        coding.setIndex(behind: 1003)
        #expect(coding.hasParts)
        #expect(coding.contentLength(of: 1003 + 5 + 8) == 1003)
        coding.identityLength = UInt64(RestartIndex.limit + 1) * RestartIndex.interval + 1
        #expect(!coding.hasParts)
        coding.identityLength = nil
        #expect(!coding.hasParts)
        #expect(StoredCoding().hasParts)
    }

    @Test("is known from the record, which versions before the index take for nothing")
    func record() throws {
        for length in [100, RestartIndex.interval - 1, RestartIndex.interval, 60 << 20] as [UInt64] {
            for stored in 1000..<1009 {
                var record = StoredRecord(kind: .response, policy: .init(), linesStart: 17)
                record.coding = StoredCoding(gzip: length)
                record.coding.setIndex(behind: stored)
                let again = try #require(StoredRecord(record.packed))
                #expect(again.coding == record.coding)
                #expect(again.kind == .response)
                #expect(again.linesStart == 17)
                #expect(record.packed.words[5] & 0xFF == (length < RestartIndex.interval ? 1 : 3))
                let whole = stored + record.coding.indexPadding + RestartIndex.length(length)
                #expect(record.coding.contentLength(of: length < RestartIndex.interval ? stored : whole) == stored)
            }
        }
        var plain = StoredRecord(kind: .response, policy: .init(), linesStart: 17).packed
        plain.words[5] = plain.words[5] & ~0xFF | 3
        #expect(StoredRecord(plain) == nil)
    }

    @Test("begins less than 256 KiB before its first byte, and never in two chunks of a file")
    func places() throws {
        let length = 10 * RestartIndex.interval + 5
        for stored in 65_530..<65_545 {
            let first = stored + RestartIndex.padding(behind: stored)
            #expect(first % 8 == 0 && first - stored < 8)
            for offset in stride(from: 0, to: length, by: 4_093) {
                guard let start = RestartIndex.start(for: offset, of: length, first: first) else {
                    #expect(offset < RestartIndex.interval)
                    continue
                }
                #expect(start.identity <= offset && offset - start.identity < RestartIndex.interval)
                #expect(start.entry / 65_536 == (start.entry + 7) / 65_536)
                #expect(start.entry + 8 <= first + RestartIndex.length(length))
            }
        }
        var index = RestartIndex()
        index.add(0x0102_0304_0506_0708)
        index.add(5)
        let image = index.image(behind: 3)
        #expect(image.count == 5 + 16)
        #expect(RestartIndex.place(in: image.span, at: 5) == 0x0102_0304_0506_0708)
        #expect(RestartIndex.place(in: image.span, at: 13) == 5)
        #expect(RestartIndex.place(in: image.span, at: 14) == .max)
    }

    /// Bytes of `coded` that the gzip in it takes.
    private func gunzipLength(_ coded: [UInt8]) -> Int {
        let decoder = GzipDecoder()
        let block = Block(capacity: 64 << 10)
        var offset = 0
        while true {
            block.clear()
            let step = decoder.decode(coded.span.extracting(offset...), into: block)
            offset += step.consumed
            if step.state != .outputFull { return step.state == .ended ? offset : -1 }
        }
    }
}
