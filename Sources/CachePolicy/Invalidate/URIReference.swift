// SPDX-License-Identifier: Apache-2.0
// References to URIs and what they mean relative to another (RFC 3986 §5).

internal import Bytes

/// The components of a reference (RFC 3986 §5.1, appendix B), as offsets. A fragment is left out.
struct URIReference: Equatable {
    /// Without its colon.
    var scheme: Range<Int>?
    /// Without `//`.
    var authority: Range<Int>?
    /// May be empty.
    var path: Range<Int>
    /// Without `?`.
    var query: Range<Int>?

    /// Takes a reference apart. Any bytes are one.
    init(_ bytes: Span<UInt8>) {
        let end = bytes.firstIndex(of: 0x23) ?? bytes.count
        var offset = 0
        while offset < end, URIReference.isSchemeByte(bytes[offset], isFirst: offset == 0) { offset &+= 1 }
        if offset > 0, offset < end, bytes[offset] == 0x3A {
            scheme = 0..<offset
            offset &+= 1
        } else {
            offset = 0
        }
        if offset &+ 1 < end, bytes[offset] == 0x2F, bytes[offset &+ 1] == 0x2F {
            let start = offset &+ 2
            offset = start
            while offset < end, bytes[offset] != 0x2F, bytes[offset] != 0x3F { offset &+= 1 }
            authority = start..<offset
        }
        let start = offset
        while offset < end, bytes[offset] != 0x3F { offset &+= 1 }
        path = start..<offset
        if offset < end { query = (offset &+ 1)..<end }
    }

    private static func isSchemeByte(_ byte: UInt8, isFirst: Bool) -> Bool {
        if byte.lowercased &- 0x61 < 26 { return true }
        return !isFirst && (byte.isDigit || byte == 0x2B || byte == 0x2D || byte == 0x2E)
    }

    /// Appends the path of `reference` relative to `base` (§5.2.2, §5.2.3), without dot segments; false when there is
    /// no room: twice both lengths and 2 are enough. What is appended before the result is in `scratch` as well.
    ///
    /// For a reference with neither scheme nor authority of its own and a path that is not empty; else its own path is
    /// `path`.
    static func appendMerged(base: Span<UInt8>, path: Span<UInt8>, to scratch: Block) -> Range<Int>? {
        guard scratch.free >= 2 &* (base.count &+ path.count) &+ 2 else { return nil }
        let start = scratch.end
        if path.isEmpty || path[0] != 0x2F {
            // "a string consisting of the reference's path component appended to all but the last segment of the base
            // URI's path".
            var last = base.count
            while last > 0, base[last &- 1] != 0x2F { last &-= 1 }
            if last == 0 { scratch.append(0x2F) } else { scratch.append(base.extracting(0..<last)) }
        }
        scratch.append(path)
        let merged = start..<scratch.end
        return removeDotSegments(merged, scratch)
    }

    /// §5.2.4, segment by segment, behind what is read.
    private static func removeDotSegments(_ input: Range<Int>, _ block: Block) -> Range<Int> {
        let start = block.end
        var offset = input.lowerBound
        while offset < input.upperBound {
            // Every segment begins behind a slash.
            let segment = offset &+ 1
            var end = segment
            while end < input.upperBound, block.bytes(input)[end &- input.lowerBound] != 0x2F { end &+= 1 }
            let text = block.bytes(segment..<end)
            let isLast = end == input.upperBound
            if text.equals(".") {
                if isLast { block.append(0x2F) }
            } else if text.equals("..") {
                var cut = block.end
                while cut > start, block.bytes(cut &- 1..<cut)[0] != 0x2F { cut &-= 1 }
                if cut > start { cut &-= 1 }
                block.truncate(to: cut &- block.start)
                if isLast { block.append(0x2F) }
            } else {
                block.append(0x2F)
                for position in segment..<end { block.append(block.bytes(position..<position &+ 1)[0]) }
            }
            offset = end
        }
        return start..<block.end
    }
}
