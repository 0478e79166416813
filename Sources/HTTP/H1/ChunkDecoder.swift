// SPDX-License-Identifier: Apache-2.0
// The chunked transfer coding (RFC 9112 section 7.1), read byte by byte except for the data. Strict where others have been
// lenient and were split by it: no white space round a size, no sign, no `0x`, no bare CR or LF, no more than 16 digits.

import Bytes

/// The trailer fields of a chunked body that may be passed on, as lines ready to be sent.
public struct Trailers: Sendable, Equatable {
    private var storage: [UInt8] = []

    /// Lines, each with its CR LF.
    public var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { storage.span }
    }

    /// Whether there is none.
    public var isEmpty: Bool { storage.isEmpty }

    mutating func append(_ line: [UInt8]) {
        storage += line
        storage += [0x0D, 0x0A]
    }
}

struct ChunkDecoder: Sendable {
    enum State: Sendable, Equatable {
        case sizeStart
        case size(UInt64, digits: Int)
        case `extension`(UInt64)
        case sizeLF(UInt64)
        case data(UInt64)
        case dataCR
        case dataLF
        case trailerStart
        case trailer
        case trailerLF
        case endLF
    }

    /// Bytes of chunk extensions in one body at most: they say nothing that anyone acts on.
    private static let extensionLimit = 16 << 10
    /// Bytes and lines of a trailer section at most.
    private static let trailerLimit = 8 << 10
    private static let trailerLines = 32

    private var extensionBytes = 0
    private var trailerBytes = 0
    private var lineCount = 0
    private var line: [UInt8] = []
    private(set) var trailers: Trailers?

    mutating func next(
        _ bytes: Span<UInt8>, from position: inout Int, state: inout State
    ) throws(ParseFailure) -> BodyDecoder.Step {
        while position < bytes.count {
            if case .data(let rest) = state {
                let count = Int(min(rest, UInt64(bytes.count - position)))
                let range = position..<position + count
                position += count
                state = UInt64(count) == rest ? .dataCR : .data(rest - UInt64(count))
                return .data(range)
            }
            let byte = bytes[position]
            if try step(byte, at: position, &state) {
                position += 1
                return .end
            }
            position += 1
        }
        return .needMore
    }

    /// Takes one byte of the framing. True when it was the last of the body.
    private mutating func step(_ byte: UInt8, at offset: Int, _ state: inout State) throws(ParseFailure) -> Bool {
        switch state {
        case .sizeStart:
            guard let digit = byte.hexadecimalValue else { throw ParseFailure(.badChunkSize, at: offset) }
            state = .size(UInt64(digit), digits: 1)
        case .size(let value, let digits):
            try stepSize(byte, at: offset, value, digits, &state)
        case .extension(let size):
            extensionBytes += 1
            guard extensionBytes <= Self.extensionLimit else { throw ParseFailure(.chunkExtensionsTooLarge, at: offset) }
            if byte == 0x0D {
                state = .sizeLF(size)
            } else if !byte.isFieldValue {
                throw ParseFailure(byte == 0x0A ? .bareLF : .badChunkExtension, at: offset)
            }
        case .sizeLF(let size):
            guard byte == 0x0A else { throw ParseFailure(.bareCR, at: offset) }
            state = size == 0 ? .trailerStart : .data(size)
        case .data:
            // Taken in one piece by the caller.
            break
        case .dataCR:
            guard byte == 0x0D else { throw ParseFailure(.badChunkEnd, at: offset) }
            state = .dataLF
        case .dataLF:
            guard byte == 0x0A else { throw ParseFailure(.badChunkEnd, at: offset) }
            state = .sizeStart
        case .trailerStart, .trailer:
            try stepTrailer(byte, at: offset, &state)
        case .trailerLF:
            guard byte == 0x0A else { throw ParseFailure(.bareCR, at: offset) }
            try endTrailerLine(at: offset)
            state = .trailerStart
        case .endLF:
            guard byte == 0x0A else { throw ParseFailure(.bareCR, at: offset) }
            return true
        }
        return false
    }

    private func stepSize(
        _ byte: UInt8, at offset: Int, _ value: UInt64, _ digits: Int, _ state: inout State
    ) throws(ParseFailure) {
        if let digit = byte.hexadecimalValue {
            // RFC 9112 section 7.1: recipients must anticipate large numbers. 16 digits fill 64 bits; the sign bit stays
            // clear, so that no later sum can wrap.
            guard digits < 16, value >> 59 == 0 else { throw ParseFailure(.chunkSizeOverflow, at: offset) }
            state = .size(value << 4 | UInt64(digit), digits: digits + 1)
        } else if byte == 0x0D {
            state = .sizeLF(value)
        } else if byte == UInt8(ascii: ";") {
            state = .extension(value)
        } else {
            throw ParseFailure(byte == 0x0A ? .bareLF : .badChunkSize, at: offset)
        }
    }

    private mutating func stepTrailer(_ byte: UInt8, at offset: Int, _ state: inout State) throws(ParseFailure) {
        trailerBytes += 1
        guard trailerBytes <= Self.trailerLimit else { throw ParseFailure(.trailersTooLarge, at: offset) }
        if byte == 0x0D {
            state = state == .trailerStart ? .endLF : .trailerLF
        } else if byte == 0x0A {
            throw ParseFailure(.bareLF, at: offset)
        } else {
            line.append(byte)
            state = .trailer
        }
    }

    /// RFC 9110 section 6.5.1: trailer fields are never merged into the head, and those that frame, route, authenticate or
    /// describe the content have no business there at all. They are dropped; the rest is kept for passing on.
    private mutating func endTrailerLine(at offset: Int) throws(ParseFailure) {
        lineCount += 1
        guard lineCount <= Self.trailerLines else { throw ParseFailure(.trailersTooLarge, at: offset) }
        let field: Field
        do throws(ParseFailure) {
            field = try FieldLine.parse(line.span, 0..<line.count)
        } catch {
            throw ParseFailure(.badTrailer, at: offset)
        }
        if Self.mayPass(line.span.extracting(field.nameRange), field.name) {
            var kept = trailers ?? Trailers()
            kept.append(line)
            trailers = kept
        }
        line.removeAll(keepingCapacity: true)
    }

    private static func mayPass(_ name: Span<UInt8>, _ known: FieldName) -> Bool {
        // Every name that anything here gives a meaning to belongs in a head.
        guard known == .other else { return false }
        switch name.count {
        case 3: return !name.equalsIgnoringCase("age")
        case 4: return !name.equalsIgnoringCase("vary")
        case 6: return !name.equalsIgnoringCase("pragma")
        case 7: return !name.equalsIgnoringCase("expires")
        case 10: return !name.equalsIgnoringCase("set-cookie")
        case 11: return !name.equalsIgnoringCase("retry-after")
        case 13: return !name.equalsIgnoringCase("content-range")
        case 16: return !name.equalsIgnoringCase("content-encoding") && !name.equalsIgnoringCase("www-authenticate")
        default: return name.firstIndex(of: UInt8(ascii: "_")) == nil
        }
    }
}
