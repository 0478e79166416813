// SPDX-License-Identifier: Apache-2.0
// Dot segments of a target's path (RFC 3986 §5.2.4). They are taken out of the head itself, before anybody looks at the path, so
// that routes, the cache, the log and the upstream server read one and the same target. Everything else of it stays as it came.

public import Bytes

extension RequestHead {
    /// Resolves the segments `.` and `..` of the path, as it is written: nothing is decoded. `block` holds the head, from its first
    /// readable byte on; path and query move to the left there, and the ranges of path, query and target with them.
    ///
    /// False, and nothing changes, when the path climbs above its root.
    public mutating func resolveDotSegments(in block: Block) -> Bool {
        guard targetForm == .origin || targetForm == .absolute else { return true }
        switch DotSegments.survey(block.readable.extracting(pathRange)) {
        case .none: return true
        case .climbing: return false
        case .resolvable: break
        }
        let start = block.start
        var end = DotSegments.remove(from: start &+ pathRange.lowerBound..<start &+ pathRange.upperBound, of: block)
        pathRange = pathRange.lowerBound..<end &- start
        if let query = queryRange {
            // With its question mark.
            block.move(start &+ query.lowerBound &- 1..<start &+ query.upperBound, to: end)
            queryRange = end &- start &+ 1..<end &- start &+ 1 &+ query.count
            end &+= 1 &+ query.count
        }
        targetRange = targetRange.lowerBound..<end &- start
        return true
    }
}

enum DotSegments {
    enum Survey {
        /// There are none.
        case none
        case resolvable
        /// They lead above the root.
        case climbing
    }

    /// Looks for them in a path that is empty or begins with a slash.
    static func survey(_ path: Span<UInt8>) -> Survey {
        var offset = 0
        // Most paths have no segment that begins with a dot.
        while offset &+ 1 < path.count, path[offset] != 0x2F || path[offset &+ 1] != 0x2E { offset &+= 1 }
        guard offset &+ 1 < path.count else { return .none }
        var result = Survey.none
        var depth = 0
        offset = 0
        while offset < path.count {
            let segment = offset &+ 1
            offset = end(of: segment, path)
            switch kind(path.extracting(segment..<offset)) {
            case .other: depth &+= 1
            case .here: result = .resolvable
            case .above:
                guard depth > 0 else { return .climbing }
                depth &-= 1
                result = .resolvable
            }
        }
        return result
    }

    /// Takes them out of the path at `range` of `block`, and returns where it ends now. It does not climb.
    static func remove(from range: Range<Int>, of block: Block) -> Int {
        var read = range.lowerBound
        var written = range.lowerBound
        while read < range.upperBound {
            let (kind, end) = next(block.bytes(read..<range.upperBound))
            switch kind {
            case .other:
                block.move(read..<read &+ end, to: written)
                written &+= end
            case .here: break
            case .above:
                // Down to the slash that the segment before begins with.
                repeat {
                    written &-= 1
                } while written > range.lowerBound && block.bytes(written..<written &+ 1)[0] != 0x2F
            }
            read &+= end
            if kind != .other, read == range.upperBound {
                block.overwrite(at: written, with: 0x2F)
                written &+= 1
            }
        }
        return written
    }

    private enum Kind { case here, above, other }

    /// The kind of the segment that follows a slash, and the bytes of both.
    private static func next(_ path: Span<UInt8>) -> (Kind, Int) {
        let end = end(of: 1, path)
        return (kind(path.extracting(1..<end)), end)
    }

    private static func end(of segment: Int, _ path: Span<UInt8>) -> Int {
        var end = segment
        while end < path.count, path[end] != 0x2F { end &+= 1 }
        return end
    }

    private static func kind(_ segment: Span<UInt8>) -> Kind {
        switch segment.count {
        case 1: segment[0] == 0x2E ? .here : .other
        case 2: segment[0] == 0x2E && segment[1] == 0x2E ? .above : .other
        default: .other
        }
    }
}
