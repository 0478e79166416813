// SPDX-License-Identifier: Apache-2.0
import Bytes
import ContentCoding
import HTTP
import TestSupport

/// Everything that comes of `pieces`, each followed by what `following` says, through blocks of `room` bytes.
func gzip(
    _ pieces: [[UInt8]], room: Int = 4096, between following: GzipEncoder.Following = .more,
    with encoder: GzipEncoder = GzipEncoder()
) -> [UInt8] {
    let block = Block(capacity: room)
    var coded: [UInt8] = []
    func encode(_ piece: [UInt8], _ following: GzipEncoder.Following) -> CodingStep.State {
        var offset = 0
        while true {
            block.clear()
            let step = encoder.encode(piece.span.extracting(offset...), following, into: block)
            offset += step.consumed
            coded += bytes(block.readable)
            if step.state != .outputFull { return offset == piece.count ? step.state : .damaged }
        }
    }
    for piece in pieces where encode(piece, following) != .needsInput { return [] }
    return encode([], .end) == .ended ? coded : []
}

/// The decoded body, and how its decoding ended: `needsInput` when the end is missing.
func gunzip(
    _ pieces: [[UInt8]], room: Int = 4096, limit: UInt64 = .max, with decoder: GzipDecoder = GzipDecoder()
) -> (body: [UInt8], state: CodingStep.State) {
    decoder.reset(limit: limit)
    let block = Block(capacity: room)
    var body: [UInt8] = []
    var state = CodingStep.State.needsInput
    for piece in pieces {
        var offset = 0
        repeat {
            block.clear()
            let step = decoder.decode(piece.span.extracting(offset...), into: block)
            offset += step.consumed
            body += bytes(block.readable)
            state = step.state
        } while state == .outputFull
        if state != .needsInput { break }
    }
    return (body, state)
}

func bytes(_ span: Span<UInt8>) -> [UInt8] { unsafe span.withUnsafeBufferPointer { unsafe Array($0) } }

/// Bytes that no compressor can make shorter.
func noise(_ count: Int) -> [UInt8] {
    var random = SeededGenerator(1)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
}

/// Something like a JSON document, of at least that length.
func document(_ count: Int) -> [UInt8] {
    var text: [UInt8] = []
    var number = 0
    while text.count < count {
        text += Array(
            "{\"id\":\(number),\"name\":\"item \(number * 7919 % 1000)\",\"price\":\(number * 37 % 999)}\n".utf8)
        number += 1
    }
    return text
}

/// Whether a response with this head is compressed.
func isCompressible(_ head: String) -> Bool {
    let text = Array((head.split(separator: "\n").joined(separator: "\r\n") + "\r\n\r\n").utf8)
    var parser = ResponseParser()
    var parsed = ResponseHead()
    let limits = HeadLimits(headBytes: 16 << 10, lineBytes: 8 << 10, fields: 100)
    guard (try? parser.parse(text.span, limits: limits, requestMethod: .get, into: &parsed)) == true else {
        return false
    }
    return Compressible.decide(parsed, text.span)
}
