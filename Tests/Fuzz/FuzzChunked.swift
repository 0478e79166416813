// SPDX-License-Identifier: Apache-2.0
// Oracle: no crash; the same content, end, trailers or refusal at arbitrary cuts; content that is written again in chunks
// of another size is read as the same.

import Bytes
import HTTP

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzChunked(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let input = unsafe UnsafeBufferPointer(start: start, count: count)
    let choice = Int(input[0]) << 8 | Int(input[1])
    let bytes = Array(input.dropFirst(2))
    let whole = decode(bytes, [bytes.count])
    check(whole == decode(bytes, [choice % bytes.count, bytes.count]), "another answer when cut")
    check(whole == decode(bytes, Array(1...bytes.count)), "another answer byte by byte")
    guard whole.answer == .complete else { return 0 }
    if let trailers = whole.trailers {
        for field in trailers.fields {
            check(field.name.isAllowedInTrailer, "a trailer that is not allowed")
            check(field.valueRange.upperBound <= trailers.bytes.count, "a trailer out of bounds")
        }
    }

    let size = 1 + choice & 0x1F
    let block = Block(capacity: whole.content.count * 24 + 64)
    var position = 0
    while position < whole.content.count {
        let end = min(position + size, whole.content.count)
        block.appendChunkSize(end - position)
        block.append(whole.content.span.extracting(position..<end))
        block.appendLineEnd()
        position = end
    }
    block.appendLastChunk()
    let copy = array(block)
    let second = decode(copy, [copy.count])
    check(second.answer == .complete && second.end == copy.count, "what was written is refused")
    check(second.content == whole.content, "other content")
    return 0
}

private struct Body: Equatable {
    var answer = Answer.more
    var content: [UInt8] = []
    var end = 0
    var trailers: Trailers?
}

/// Decodes the pieces of `bytes` that end at `cuts`.
private func decode(_ bytes: [UInt8], _ cuts: [Int]) -> Body {
    var decoder = BodyDecoder(.chunked)
    var body = Body()
    var start = 0
    for cut in cuts {
        let piece = bytes.span.extracting(start..<cut)
        var from = 0
        do {
            steps: while true {
                let before = from
                switch try decoder.next(piece, from: &from) {
                case .data(let range):
                    check(!range.isEmpty && range.lowerBound >= before && range.upperBound == from, "odd data")
                    body.content += bytes[(start + range.lowerBound)..<(start + range.upperBound)]
                case .needMore:
                    check(from == piece.count, "not all was looked at")
                    break steps
                case .end:
                    check(decoder.isEnded && from <= piece.count, "an end out of bounds")
                    body.answer = .complete
                    body.end = start + from
                    body.trailers = decoder.trailers
                    return body
                }
            }
        } catch {
            // Content before a refusal depends on the cut only in where it was handed out, not in what it is.
            body.answer = .refused(ParseFailure(error.reason, at: start + error.offset))
            return body
        }
        start = cut
    }
    check(!decoder.peerClosed(), "a close is no end of chunks")
    return body
}
