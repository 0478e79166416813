// SPDX-License-Identifier: Apache-2.0
// Accept-Encoding (RFC 9110 §12.5.3): which codings a client takes, and the field's normal form for secondary keys.

internal import Bytes
public import HTTP

/// The codings of all Accept-Encoding lines of a request.
public struct AcceptEncoding: Sendable {
    /// Most members that are read. A request with more is compared byte for byte, and is offered nothing but identity.
    public static let limit = 16

    private struct Member: Sendable {
        var coding: Range<Int> = 0..<0
        /// Thousandths.
        var quality: UInt16 = 0
    }

    /// Whether the request has the field. Without it any coding is acceptable, but none is asked for.
    public private(set) var isPresent = false
    private var members = InlineArray<16, Member>(repeating: Member())
    private var count = 0

    /// Reads the lines; nil when there are too many members or one of them is malformed.
    public init?(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) {
        for position in 0..<head.fields.count where head.fields[position].name == .acceptEncoding {
            isPresent = true
            let range = head.fields[position].valueRange
            let line = bytes.extracting(range)
            var reader = ListReader()
            while let found = reader.next(line) {
                var offset = found.lowerBound
                while offset < found.upperBound, line[offset].isToken { offset &+= 1 }
                let coding = (found.lowerBound &+ range.lowerBound)..<(offset &+ range.lowerBound)
                guard count < AcceptEncoding.limit, !coding.isEmpty,
                    let quality = AcceptEncoding.quality(line.extracting(offset..<found.upperBound))
                else { return nil }
                insert(Member(coding: coding, quality: quality), bytes)
            }
        }
    }

    /// The quality of `coding` (in lower case) in thousandths; 0: not acceptable. Of identity: 1 where nothing rules it
    /// out and nothing names it, so that a coding that is asked for comes first (§12.5.3: "If the representation has no
    /// content coding, then it is acceptable by default unless specifically excluded").
    public func quality(of coding: StaticString, _ bytes: Span<UInt8>) -> UInt16 {
        var any: UInt16?
        for position in 0..<count {
            let name = bytes.extracting(members[position].coding)
            if name.equalsIgnoringCase(coding) || (isLegacyGzip(name) && coding.span.equals("gzip")) {
                return members[position].quality
            }
            if name.equals("*") { any = members[position].quality }
        }
        if coding.span.equals("identity") { return any == 0 ? 0 : max(any ?? 1, 1) }
        return any ?? 0
    }

    /// Whether a response in `coding` is what the client prefers to one without any coding.
    public func prefers(_ coding: StaticString, _ bytes: Span<UInt8>) -> Bool {
        let quality = quality(of: coding, bytes)
        return quality > 0 && quality >= self.quality(of: "identity", bytes)
    }

    /// Appends the members sorted by name, in lower case, with the quality where it is not 1: equal for two requests if
    /// they mean the same. False when it does not fit below `limit` readable bytes.
    func write(_ bytes: Span<UInt8>, to block: Block, limit: Int) -> Bool {
        for position in 0..<count {
            let member = members[position]
            guard block.count &+ member.coding.count &+ 8 <= limit, block.free >= member.coding.count &+ 32 else {
                return false
            }
            if position > 0 { block.append(0x2C) }
            if isLegacyGzip(bytes.extracting(member.coding)) {
                block.append("gzip")
            } else {
                for offset in member.coding { block.append(bytes[offset].lowercased) }
            }
            if member.quality < 1_000 {
                block.append(0x3B)
                block.append(decimal: UInt64(member.quality))
            }
        }
        return true
    }

    /// `x-gzip`: "A recipient SHOULD consider 'x-gzip' to be equivalent to 'gzip'" (RFC 9110 §8.4.1.3).
    private func isLegacyGzip(_ name: Span<UInt8>) -> Bool { name.equalsIgnoringCase("x-gzip") }

    /// Keeps the members sorted by name; equal ones in the order they came.
    private mutating func insert(_ member: Member, _ bytes: Span<UInt8>) {
        var position = count
        while position > 0, isLess(member.coding, members[position &- 1].coding, bytes) {
            members[position] = members[position &- 1]
            position &-= 1
        }
        members[position] = member
        count &+= 1
    }

    private func isLess(_ left: Range<Int>, _ right: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        // `x-gzip` is written as `gzip`, and so sorted as such.
        let first = isLegacyGzip(bytes.extracting(left)) ? (left.lowerBound &+ 2)..<left.upperBound : left
        let second = isLegacyGzip(bytes.extracting(right)) ? (right.lowerBound &+ 2)..<right.upperBound : right
        for offset in 0..<min(first.count, second.count) {
            let one = bytes[first.lowerBound &+ offset].lowercased
            let other = bytes[second.lowerBound &+ offset].lowercased
            if one != other { return one < other }
        }
        return first.count < second.count
    }

    /// `OWS ";" OWS "q=" qvalue` (RFC 9110 §12.4.2) in thousandths; 1,000 for nothing, nil for anything else.
    private static func quality(_ text: Span<UInt8>) -> UInt16? {
        var offset = 0
        func skip() { while offset < text.count, text[offset].isBlank { offset &+= 1 } }
        func take(_ byte: UInt8) -> Bool {
            guard offset < text.count, text[offset].lowercased == byte else { return false }
            offset &+= 1
            return true
        }
        skip()
        if offset == text.count { return 1_000 }
        guard take(0x3B) else { return nil }
        skip()
        guard take(0x71), take(0x3D), offset < text.count else { return nil }
        let whole = text[offset] &- 0x30
        guard whole <= 1 else { return nil }
        offset &+= 1
        var value = UInt16(whole) &* 1_000
        if take(0x2E) {
            var unit: UInt16 = 100
            while offset < text.count, text[offset].isDigit {
                guard unit > 0 else { return nil }
                value &+= UInt16(text[offset] &- 0x30) &* unit
                unit /= 10
                offset &+= 1
            }
        }
        return offset == text.count && value <= 1_000 ? value : nil
    }
}
