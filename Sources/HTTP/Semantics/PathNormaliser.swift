// SPDX-License-Identifier: Apache-2.0
// The one normal form in which paths are compared, for routes now and for cache keys. What is forwarded stays byte for byte
// as it came; the form only makes sure that every spelling that some server takes for `/admin` meets the same route.

public import Bytes

/// Brings a path into normal form: percent-decoded once; `\` and `%5C` are `/`; `//` is `/`; `.` and `..` segments are
/// resolved; `;parameters` of segments are cut.
public enum PathNormaliser {
    /// Whether the path is in normal form as it stands, which nearly every one is.
    public static func isNormal(_ path: Span<UInt8>) -> Bool {
        guard path.count > 0, path[0] == UInt8(ascii: "/") else { return false }
        var previous: UInt8 = 0
        for index in path.indices {
            let byte = path[index]
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: "\\"), UInt8(ascii: ";"): return false
            case UInt8(ascii: "/") where previous == UInt8(ascii: "/"): return false
            case UInt8(ascii: ".") where previous == UInt8(ascii: "/"): return false
            default: previous = byte
            }
        }
        return true
    }

    /// Appends the normal form of `path` to the empty `block`, which must have room for one byte more than the path.
    ///
    /// - Returns: False when there is none: a broken escape, an escaped NUL, or `..` above the root.
    public static func normalise(_ path: Span<UInt8>, into block: Block) -> Bool {
        precondition(block.isEmpty && block.free > path.count, "room for the path")
        block.append(UInt8(ascii: "/"))
        var segmentStart = 1
        var isParameters = false
        var index = 0
        if path.count > 0, path[0] == UInt8(ascii: "/") { index = 1 }
        while index < path.count {
            var byte = path[index]
            index += 1
            if byte == UInt8(ascii: "%") {
                guard index + 1 < path.count, let high = path[index].hexadecimalValue, let low = path[index + 1].hexadecimalValue
                else { return false }
                byte = high << 4 | low
                index += 2
                if byte == 0 { return false }
            }
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") {
                guard endSegment(block, &segmentStart, isLast: false) else { return false }
                isParameters = false
            } else if byte == UInt8(ascii: ";") {
                isParameters = true
            } else if !isParameters {
                block.append(byte)
            }
        }
        return endSegment(block, &segmentStart, isLast: true)
    }

    /// The segment from `start` to the end is complete.
    private static func endSegment(_ block: Block, _ start: inout Int, isLast: Bool) -> Bool {
        let segment = block.readable.extracting(start...)
        if segment.count == 0 { return true }
        if segment.equals(".") {
            block.truncate(to: start)
            return true
        }
        if segment.equals("..") {
            guard start > 1 else { return false }
            var parent = start - 1
            let bytes = block.readable
            while bytes[parent - 1] != UInt8(ascii: "/") { parent -= 1 }
            block.truncate(to: parent)
            start = parent
            return true
        }
        if !isLast {
            block.append(UInt8(ascii: "/"))
            start = block.count
        }
        return true
    }

    /// Whether a byte of a decoded path may stand in a target as it is: `pchar` and `/` (RFC 3986 section 3.3).
    public static func mayStandInPath(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: true
        case 0x2D, 0x2E, 0x5F, 0x7E, 0x2F: true  // -._~/
        case 0x21, 0x24, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x3B, 0x3D, 0x3A, 0x40: true  // !$&'()*+,;=:@
        default: false
        }
    }
}
