// SPDX-License-Identifier: Apache-2.0

import Bytes
import ContentCoding
import XCTest

final class CoderTests: XCTestCase {
    func testWhatWasEncodedInTwoPiecesIsDecodedInTwoPiecesWhereverTheyAreCut() {
        let encoder = GzipEncoder()
        let decoder = GzipDecoder()
        for body in [[], [7], document(200), noise(90)] {
            for cut in 0...body.count {
                encoder.reset()
                let coded = gzip([Array(body[..<cut]), Array(body[cut...])], with: encoder)
                let decoded = gunzip([coded], with: decoder)
                XCTAssertEqual(decoded.body, body)
                XCTAssertEqual(decoded.state, .ended)
            }
            encoder.reset()
            let coded = gzip([body], with: encoder)
            for cut in 0...coded.count {
                let decoded = gunzip([Array(coded[..<cut]), Array(coded[cut...])], with: decoder)
                XCTAssertEqual(decoded.body, body)
                XCTAssertEqual(decoded.state, .ended)
            }
        }
    }

    func testDecodingCanBeginWhereverTheEncoderWasToldToRestart() {
        let pieces = [document(300), noise(70), [], document(500), [9]]
        let encoder = GzipEncoder()
        for room in [16, 17, 100, 4096] {
            let block = Block(capacity: room)
            var coded: [UInt8] = []
            var places: [Int] = []
            func encode(_ piece: [UInt8], _ following: GzipEncoder.Following) {
                var offset = 0
                while true {
                    block.clear()
                    let step = encoder.encode(piece.span.extracting(offset...), following, into: block)
                    offset += step.consumed
                    coded += bytes(block.readable)
                    if step.state != .outputFull { return }
                }
            }
            encoder.reset()
            for piece in pieces {
                encode(piece, .more)
                encode([], .restart)
                places.append(coded.count)
            }
            encode([], .end)
            let body = Array(pieces.joined())
            XCTAssertEqual(gunzip([coded]).body, body)
            let decoder = GzipDecoder()
            for (index, place) in places.enumerated() {
                let rest = Array(pieces[(index + 1)...].joined())
                for cut in stride(from: place, through: coded.count, by: room == 4096 ? 1 : 97) {
                    decoder.reset(limit: UInt64(rest.count), fromRestart: true)
                    var got: [UInt8] = []
                    var state = CodingStep.State.needsInput
                    for part in [coded[place..<cut], coded[cut...]] where state != .ended {
                        var offset = 0
                        let part = Array(part)
                        repeat {
                            block.clear()
                            let step = decoder.decode(part.span.extracting(offset...), into: block)
                            offset += step.consumed
                            got += bytes(block.readable)
                            state = step.state
                        } while state == .outputFull
                    }
                    XCTAssertEqual(got, rest)
                    XCTAssertEqual(state, .ended)
                }
            }
            // The next body has a head again.
            decoder.reset()
            XCTAssertEqual(gunzip([coded], with: decoder).body, body)
        }
    }

    func testBlocksOfAnySizeAreFilledAndNothingIsLost() {
        let body = document(600)
        let coded = gzip([body])
        for room in 1...400 {
            XCTAssertEqual(gzip([body], room: room), coded, "blocks of \(room) bytes")
            let decoded = gunzip([coded], room: room)
            XCTAssertEqual(decoded.body, body, "blocks of \(room) bytes")
            XCTAssertEqual(decoded.state, .ended)
        }
    }

    func testAnEncoderAndADecoderServeOneBodyAfterTheOther() {
        let encoder = GzipEncoder()
        let decoder = GzipDecoder()
        let first = gzip([document(5000)], with: encoder)
        encoder.reset()
        // One that breaks off in between.
        let block = Block(capacity: 64)
        _ = encoder.encode(noise(5000).span, .more, into: block)
        encoder.reset()
        XCTAssertEqual(gzip([document(5000)], with: encoder), first)
        XCTAssertEqual(gunzip([Array(first.dropLast(9))], with: decoder).state, .needsInput)
        XCTAssertEqual(gunzip([first], with: decoder).body, document(5000))
        XCTAssertEqual(gunzip([first], with: decoder).body, document(5000))
    }

    func testLargeBodiesComeBackAndCompressibleOnesAreSmaller() {
        for (body, most) in [
            ([UInt8](repeating: 0, count: 5_000_000), 6_000), (noise(1_000_000), 1_001_000),
            (document(3_000_000), 700_000),
        ] {
            let coded = gzip([body], room: 65_536)
            XCTAssertGreaterThan(coded.count, 0)
            XCTAssertLessThan(coded.count, most)
            let decoded = gunzip([coded], room: 65_536)
            XCTAssertEqual(decoded.state, .ended)
            XCTAssertTrue(decoded.body == body)
        }
    }

    func testWhatCameBeforeAPauseCanBeDecoded() {
        for room in [GzipEncoder.flushRoom, 17, 64, 4096] {
            let encoder = GzipEncoder()
            let decoder = GzipDecoder()
            let block = Block(capacity: room)
            for piece in [Array("a line\n".utf8), document(700), noise(40)] {
                var coded: [UInt8] = []
                var offset = 0
                var state = CodingStep.State.outputFull
                while state == .outputFull {
                    block.clear()
                    let step = encoder.encode(piece.span.extracting(offset...), .pause, into: block)
                    offset += step.consumed
                    coded += bytes(block.readable)
                    state = step.state
                }
                XCTAssertEqual(state, .needsInput)
                let output = Block(capacity: 4096)
                XCTAssertEqual(decoder.decode(coded.span, into: output).state, .needsInput)
                XCTAssertEqual(bytes(output.readable), piece)
            }
        }
    }

    func testAPauseWaitsForABlockWithRoomForItsMark() {
        let block = Block(capacity: GzipEncoder.flushRoom - 1)
        XCTAssertEqual(GzipEncoder().encode([1].span, .pause, into: block).state, .outputFull)
        XCTAssertTrue(block.isEmpty)
    }

    func testWhatOtherProgramsWroteIsDecoded() {
        // printf 'hello, hello, hello\n' | gzip -9n
        let coded: [UInt8] = [
            0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0xD7, 0x51, 0xC8, 0x40, 0xA2, 0xB8, 0,
            0xE7,
            0x42, 0x6E, 0x52, 0x14, 0, 0, 0,
        ]
        let decoded = gunzip([coded])
        XCTAssertEqual(String(decoding: decoded.body, as: UTF8.self), "hello, hello, hello\n")
        XCTAssertEqual(decoded.state, .ended)
    }

    func testATruncatedBodyNeverCountsAsWhole() {
        let body = document(300)
        let coded = gzip([body])
        for length in 0..<coded.count {
            let decoded = gunzip([Array(coded[..<length])])
            XCTAssertEqual(decoded.state, .needsInput)
            XCTAssertTrue(body.starts(with: decoded.body))
        }
    }

    func testADamagedBodyNeverCountsAsWholeWithOtherBytes() {
        let body = document(300)
        let coded = gzip([body])
        for position in 0..<coded.count {
            for bit in 0..<8 {
                var damaged = coded
                damaged[position] ^= 1 << UInt8(bit)
                let decoded = gunzip([damaged], limit: 100_000)
                // Some bits of the gzip header mean nothing for the content.
                if decoded.state == .ended { XCTAssertEqual(decoded.body, body) }
            }
        }
        var damaged = coded
        damaged[coded.count - 5] ^= 1
        let decoder = GzipDecoder()
        XCTAssertEqual(gunzip([damaged], with: decoder).state, .damaged)
        // What is damaged stays so until it is begun anew.
        XCTAssertEqual(decoder.decode(coded.span, into: Block(capacity: 64)).state, .damaged)
        XCTAssertEqual(gunzip([coded], with: decoder).state, .ended)
    }

    func testABodyIsDecodedUpToItsLimitAndNotBeyond() {
        let body = [UInt8](repeating: 0, count: 100_000)
        let coded = gzip([body])
        for room in [1, 7, 4096, 65_536, 200_000] {
            XCTAssertEqual(gunzip([coded], room: room, limit: 100_000).state, .ended)
            let over = gunzip([coded], room: room, limit: 99_999)
            XCTAssertEqual(over.state, .tooLong)
            XCTAssertEqual(over.body.count, 99_999)
            XCTAssertEqual(gunzip([coded], room: room, limit: 0).body, [])
        }
        XCTAssertEqual(gunzip([gzip([])], limit: 0).state, .ended)
    }

    func testWhatFollowsTheEndIsNotConsumed() {
        let coded = gzip([[1, 2, 3]])
        let step = GzipDecoder().decode((coded + [9, 9]).span, into: Block(capacity: 16))
        XCTAssertEqual(step.consumed, coded.count)
        XCTAssertEqual(step.state, .ended)
    }

    func testAPoolLendsNoMoreEncodersThanItsLimit() {
        let pool = CodingPool()
        var lent: [GzipEncoder] = []
        while lent.count < CodingPool.encoderLimit, let encoder = pool.takeEncoder() { lent.append(encoder) }
        XCTAssertEqual(lent.count, CodingPool.encoderLimit)
        XCTAssertNil(pool.takeEncoder())
        if let one = lent.popLast() {
            _ = one.encode(noise(100).span, .more, into: Block(capacity: 8))
            pool.give(one)
        }
        let again = pool.takeEncoder()
        XCTAssertNotNil(again)
        if let again { XCTAssertEqual(gzip([document(50)], with: again), gzip([document(50)])) }
    }

    func testAPoolLendsNoEncoderForWhatDoesNotBecomeSmaller() {
        let pool = CodingPool()
        XCTAssertNil(pool.takeEncoder(worthwhileFor: noise(4000).span))
        XCTAssertNil(pool.takeEncoder(worthwhileFor: noise(100_000).span))
        XCTAssertEqual(pool.encodersInUse, 0)
        // Too little to tell by.
        XCTAssertNotNil(pool.takeEncoder(worthwhileFor: noise(CodingPool.smallestSample - 1).span))
        let encoder = pool.takeEncoder(worthwhileFor: document(50).span)
        if let encoder { XCTAssertEqual(gzip([document(50)], with: encoder), gzip([document(50)])) }
        XCTAssertEqual(pool.encodersInUse, 2)
    }

    func testAPoolLendsDecodersThatAreReady() {
        let pool = CodingPool()
        let decoder = pool.takeDecoder(limit: 3)
        _ = decoder.decode(gzip([document(50)]).span, into: Block(capacity: 64))
        pool.give(decoder)
        let output = Block(capacity: 4096)
        XCTAssertEqual(pool.takeDecoder().decode(gzip([document(50)]).span, into: output).state, .ended)
        XCTAssertEqual(bytes(output.readable), document(50))
    }
}
