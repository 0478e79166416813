// SPDX-License-Identifier: Apache-2.0

import Bytes
import ContentCoding
import Testing

@Suite("Gzip in pieces") struct CoderTests {
    @Test("what was encoded in two pieces is decoded in two pieces, wherever they are cut")
    func whatWasEncodedInTwoPiecesIsDecodedInTwoPiecesWhereverTheyAreCut() {
        let encoder = GzipEncoder()
        let decoder = GzipDecoder()
        for body in [[], [7], document(200), noise(90)] {
            for cut in 0...body.count {
                encoder.reset()
                let coded = gzip([Array(body[..<cut]), Array(body[cut...])], with: encoder)
                let decoded = gunzip([coded], with: decoder)
                #expect(decoded.body == body)
                #expect(decoded.state == .ended)
            }
            encoder.reset()
            let coded = gzip([body], with: encoder)
            for cut in 0...coded.count {
                let decoded = gunzip([Array(coded[..<cut]), Array(coded[cut...])], with: decoder)
                #expect(decoded.body == body)
                #expect(decoded.state == .ended)
            }
        }
    }

    @Test("decoding can begin wherever the encoder was told to restart")
    func decodingCanBeginWhereverTheEncoderWasToldToRestart() {
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
            #expect(gunzip([coded]).body == body)
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
                    #expect(got == rest)
                    #expect(state == .ended)
                }
            }
            // The next body has a head again.
            decoder.reset()
            #expect(gunzip([coded], with: decoder).body == body)
        }
    }

    @Test("blocks of any size are filled, and nothing is lost")
    func blocksOfAnySizeAreFilledAndNothingIsLost() {
        let body = document(600)
        let coded = gzip([body])
        for room in 1...400 {
            #expect(gzip([body], room: room) == coded, "blocks of \(room) bytes")
            let decoded = gunzip([coded], room: room)
            #expect(decoded.body == body, "blocks of \(room) bytes")
            #expect(decoded.state == .ended)
        }
    }

    @Test("an encoder and a decoder serve one body after the other")
    func anEncoderAndADecoderServeOneBodyAfterTheOther() {
        let encoder = GzipEncoder()
        let decoder = GzipDecoder()
        let first = gzip([document(5000)], with: encoder)
        encoder.reset()
        // One that breaks off in between.
        let block = Block(capacity: 64)
        _ = encoder.encode(noise(5000).span, .more, into: block)
        encoder.reset()
        #expect(gzip([document(5000)], with: encoder) == first)
        #expect(gunzip([Array(first.dropLast(9))], with: decoder).state == .needsInput)
        #expect(gunzip([first], with: decoder).body == document(5000))
        #expect(gunzip([first], with: decoder).body == document(5000))
    }

    @Test("large bodies come back, and compressible ones are smaller")
    func largeBodiesComeBackAndCompressibleOnesAreSmaller() {
        for (body, most) in [
            ([UInt8](repeating: 0, count: 5_000_000), 6_000), (noise(1_000_000), 1_001_000),
            (document(3_000_000), 700_000),
        ] {
            let coded = gzip([body], room: 65_536)
            #expect(coded.count > 0)
            #expect(coded.count < most)
            let decoded = gunzip([coded], room: 65_536)
            #expect(decoded.state == .ended)
            #expect(decoded.body == body)
        }
    }

    @Test("what came before a pause can be decoded")
    func whatCameBeforeAPauseCanBeDecoded() {
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
                #expect(state == .needsInput)
                let output = Block(capacity: 4096)
                #expect(decoder.decode(coded.span, into: output).state == .needsInput)
                #expect(bytes(output.readable) == piece)
            }
        }
    }

    @Test("a pause waits for a block with room for its mark")
    func aPauseWaitsForABlockWithRoomForItsMark() {
        let block = Block(capacity: GzipEncoder.flushRoom - 1)
        #expect(GzipEncoder().encode([1].span, .pause, into: block).state == .outputFull)
        #expect(block.isEmpty)
    }

    @Test("what other programs wrote is decoded")
    func whatOtherProgramsWroteIsDecoded() {
        // printf 'hello, hello, hello\n' | gzip -9n
        let coded: [UInt8] = [
            0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0xD7, 0x51, 0xC8, 0x40, 0xA2, 0xB8, 0,
            0xE7,
            0x42, 0x6E, 0x52, 0x14, 0, 0, 0,
        ]
        let decoded = gunzip([coded])
        #expect(String(decoding: decoded.body, as: UTF8.self) == "hello, hello, hello\n")
        #expect(decoded.state == .ended)
    }

    @Test("a truncated body never counts as whole")
    func aTruncatedBodyNeverCountsAsWhole() {
        let body = document(300)
        let coded = gzip([body])
        for length in 0..<coded.count {
            let decoded = gunzip([Array(coded[..<length])])
            #expect(decoded.state == .needsInput)
            #expect(body.starts(with: decoded.body))
        }
    }

    @Test("a damaged body never counts as whole with other bytes")
    func aDamagedBodyNeverCountsAsWholeWithOtherBytes() {
        let body = document(300)
        let coded = gzip([body])
        for position in 0..<coded.count {
            for bit in 0..<8 {
                var damaged = coded
                damaged[position] ^= 1 << UInt8(bit)
                let decoded = gunzip([damaged], limit: 100_000)
                // Some bits of the gzip header mean nothing for the content.
                if decoded.state == .ended { #expect(decoded.body == body) }
            }
        }
        var damaged = coded
        damaged[coded.count - 5] ^= 1
        let decoder = GzipDecoder()
        #expect(gunzip([damaged], with: decoder).state == .damaged)
        // What is damaged stays so until it is begun anew.
        #expect(decoder.decode(coded.span, into: Block(capacity: 64)).state == .damaged)
        #expect(gunzip([coded], with: decoder).state == .ended)
    }

    @Test("a body is decoded up to its limit and not beyond")
    func aBodyIsDecodedUpToItsLimitAndNotBeyond() {
        let body = [UInt8](repeating: 0, count: 100_000)
        let coded = gzip([body])
        for room in [1, 7, 4096, 65_536, 200_000] {
            #expect(gunzip([coded], room: room, limit: 100_000).state == .ended)
            let over = gunzip([coded], room: room, limit: 99_999)
            #expect(over.state == .tooLong)
            #expect(over.body.count == 99_999)
            #expect(gunzip([coded], room: room, limit: 0).body == [])
        }
        #expect(gunzip([gzip([])], limit: 0).state == .ended)
    }

    @Test("what follows the end is not consumed")
    func whatFollowsTheEndIsNotConsumed() {
        let coded = gzip([[1, 2, 3]])
        let step = GzipDecoder().decode((coded + [9, 9]).span, into: Block(capacity: 16))
        #expect(step.consumed == coded.count)
        #expect(step.state == .ended)
    }

    @Test("a pool lends no more encoders than its limit")
    func aPoolLendsNoMoreEncodersThanItsLimit() {
        let pool = CodingPool()
        var lent: [GzipEncoder] = []
        while lent.count < CodingPool.encoderLimit, let encoder = pool.takeEncoder() { lent.append(encoder) }
        #expect(lent.count == CodingPool.encoderLimit)
        #expect(pool.takeEncoder() == nil)
        if let one = lent.popLast() {
            _ = one.encode(noise(100).span, .more, into: Block(capacity: 8))
            pool.give(one)
        }
        let again = pool.takeEncoder()
        #expect(again != nil)
        if let again { #expect(gzip([document(50)], with: again) == gzip([document(50)])) }
    }

    @Test("a pool lends no encoder for what does not become smaller")
    func aPoolLendsNoEncoderForWhatDoesNotBecomeSmaller() {
        let pool = CodingPool()
        #expect(pool.takeEncoder(worthwhileFor: noise(4000).span) == nil)
        #expect(pool.takeEncoder(worthwhileFor: noise(100_000).span) == nil)
        #expect(pool.encodersInUse == 0)
        // Too little to tell by.
        #expect(pool.takeEncoder(worthwhileFor: noise(CodingPool.smallestSample - 1).span) != nil)
        let encoder = pool.takeEncoder(worthwhileFor: document(50).span)
        if let encoder { #expect(gzip([document(50)], with: encoder) == gzip([document(50)])) }
        #expect(pool.encodersInUse == 2)
    }

    @Test("a pool lends decoders that are ready")
    func aPoolLendsDecodersThatAreReady() {
        let pool = CodingPool()
        let decoder = pool.takeDecoder(limit: 3)
        _ = decoder.decode(gzip([document(50)]).span, into: Block(capacity: 64))
        pool.give(decoder)
        let output = Block(capacity: 4096)
        #expect(pool.takeDecoder().decode(gzip([document(50)]).span, into: output).state == .ended)
        #expect(bytes(output.readable) == document(50))
    }
}
