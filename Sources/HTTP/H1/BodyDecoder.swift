// SPDX-License-Identifier: Apache-2.0
// Where content begins and ends among the bytes behind a head. Nothing is copied: what is found are ranges.

import Bytes

/// Finds the content of one message (RFC 9112 §§6.3, 7.1). The same for requests and responses.
public struct BodyDecoder: Sendable {
    /// Most bytes of chunk extensions in one body: they are skipped, and mean nothing to anyone.
    public static let extensionLimit = 16_384

    /// What comes next.
    public enum Step: Sendable, Equatable {
        /// Content, at these offsets of the bytes given; never empty.
        case data(Range<Int>)
        /// All bytes given were looked at, and the body goes on.
        case needMore
        /// The body has ended; what follows belongs to something else.
        case end
    }

    private enum Stage {
        /// Content of known length: `remaining` bytes, at least one.
        case length
        case untilClose
        /// At the first digit of a chunk size, or behind it: `digits` were read.
        case size
        case chunkExtension
        /// Behind the CR of a size line.
        case sizeFeed
        /// Inside chunk data: `remaining` bytes, at least one.
        case chunkData
        case dataReturn, dataFeed
        /// Behind the last chunk, at the first byte of the trailer section; behind its CR when that is all there is.
        case trailerStart, trailerStartFeed
        case trailer
        case ended
    }

    private var stage: Stage
    private var digits: UInt8 = 0
    private var extensionBytes: UInt16 = 0
    private var remaining: UInt64 = 0
    /// The trailer lines, once the body has ended and if there were any.
    public private(set) var trailers: Trailers?

    /// A decoder at the first byte behind the head.
    public init(_ framing: Framing) {
        switch framing {
        case .none: stage = .ended
        case .length(let length):
            stage = length == 0 ? .ended : .length
            remaining = length
        case .chunked: stage = .size
        case .untilClose: stage = .untilClose
        }
    }

    /// Whether the body has been read to its end.
    public var isEnded: Bool { stage == .ended }

    /// Bytes of content that are still to come, when the framing tells; nil when chunked or until close.
    public var remainingLength: UInt64? {
        switch stage {
        case .length: remaining
        case .ended: 0
        default: nil
        }
    }

    /// Tells the decoder that the sender closed; true when that, or what came before, is a proper end (RFC 9112 §8).
    public mutating func peerClosed() -> Bool {
        if stage == .untilClose { stage = .ended }
        return stage == .ended
    }

    /// Looks at `bytes` from offset `from`, says what comes next and moves `from` behind it.
    ///
    /// After `.data(range)` `from` is `range.upperBound`, after `.needMore` it is `bytes.count`, after `.end` it is the
    /// offset of the first byte that does not belong to the body. After a failure the connection can only be closed.
    public mutating func next(_ bytes: Span<UInt8>, from: inout Int) throws(ParseFailure) -> Step {
        while true {
            if stage == .ended { return .end }
            guard from < bytes.count else { return .needMore }
            switch stage {
            case .length: return .data(takeData(bytes, &from, then: .ended))
            case .chunkData: return .data(takeData(bytes, &from, then: .dataReturn))
            case .untilClose:
                let range = from..<bytes.count
                from = bytes.count
                return .data(range)
            case .trailer: try takeTrailers(bytes, &from)
            case .size, .chunkExtension, .sizeFeed, .dataReturn, .dataFeed, .trailerStart, .trailerStartFeed:
                try takeFraming(bytes[from], at: from)
                // The first byte of a trailer is left to be looked at again, by `takeTrailers`.
                if stage != .trailer { from &+= 1 }
            case .ended: return .end
            }
        }
    }

    /// As much data as there is.
    private mutating func takeData(_ bytes: Span<UInt8>, _ from: inout Int, then next: Stage) -> Range<Int> {
        let available = UInt64(bytes.count &- from)
        let taken = min(available, remaining)
        let range = from..<(from &+ Int(taken))
        remaining &-= taken
        if remaining == 0 { stage = next }
        from = range.upperBound
        return range
    }

    /// One byte of chunked framing (RFC 9112 §7.1).
    private mutating func takeFraming(_ byte: UInt8, at offset: Int) throws(ParseFailure) {
        switch stage {
        case .size:
            let digit = byte.hexadecimalValue
            if digit < 16 {
                // 16 digits hold every 64-bit number; the 63-bit bound is checked before each shift, leading zeros count.
                guard digits < 16, remaining <= UInt64(Int64.max) &>> 4 else {
                    throw ParseFailure(.chunkSizeOverflow, at: offset)
                }
                remaining = remaining &<< 4 | UInt64(digit)
                digits &+= 1
            } else if digits > 0, byte == 0x0D {
                stage = .sizeFeed
            } else if digits > 0, byte == 0x3B {
                // The grammar's BWS before the semicolon is refused: nothing sends it.
                stage = .chunkExtension
            } else {
                throw ParseFailure(byte == 0x0A && digits > 0 ? .bareLF : .badChunkSize, at: offset)
            }
        case .chunkExtension:
            if byte == 0x0D {
                stage = .sizeFeed
            } else {
                guard byte != 0x0A else { throw ParseFailure(.bareLF, at: offset) }
                guard byte.isFieldContent else { throw ParseFailure(.badChunkExtension, at: offset) }
                guard extensionBytes < BodyDecoder.extensionLimit else {
                    throw ParseFailure(.chunkExtensionsTooLarge, at: offset)
                }
                extensionBytes &+= 1
            }
        case .sizeFeed:
            guard byte == 0x0A else { throw ParseFailure(.bareCR, at: offset) }
            stage = remaining == 0 ? .trailerStart : .chunkData
            digits = 0
        case .dataReturn:
            guard byte == 0x0D else { throw ParseFailure(.badChunkEnd, at: offset) }
            stage = .dataFeed
        case .dataFeed:
            guard byte == 0x0A else { throw ParseFailure(.badChunkEnd, at: offset) }
            stage = .size
        case .trailerStart:
            stage = byte == 0x0D ? .trailerStartFeed : .trailer
        case .trailerStartFeed:
            guard byte == 0x0A else { throw ParseFailure(.bareCR, at: offset) }
            stage = .ended
        case .length, .untilClose, .chunkData, .trailer, .ended: break
        }
    }

    /// Trailer lines, up to and with the empty one.
    private mutating func takeTrailers(_ bytes: Span<UInt8>, _ from: inout Int) throws(ParseFailure) {
        var section = trailers ?? Trailers()
        // Leaves the array with one owner, so that it grows in place.
        trailers = nil
        while from < bytes.count {
            let outcome = section.take(bytes[from])
            if case .failed(let reason) = outcome { throw ParseFailure(reason, at: from) }
            from &+= 1
            if case .ended = outcome {
                stage = .ended
                break
            }
        }
        trailers = section
    }
}
