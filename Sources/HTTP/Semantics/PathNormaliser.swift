// SPDX-License-Identifier: Apache-2.0
// The one form of a path that routes are compared with. Only compared: what is passed on stays byte for byte what came, but
// for its dot segments (`RequestHead.resolveDotSegments`).
//
// The form, in this order: percent-encoded bytes decoded, once; backslashes are slashes; in each segment what follows a
// semicolon is cut; segments `.` and the empty ones vanish; `..` takes the segment before it away. So whatever an origin
// behind may take for `/admin` is `/admin` here.

public import Bytes

/// Brings paths into the form for routing.
public enum PathNormaliser {
    /// Whether `path` certainly is its own normal form: no `%`, `\`, `;`, `//` and `/.` in it.
    public static func isNormal(_ path: Span<UInt8>) -> Bool {
        guard !path.isEmpty, path[0] == 0x2F else { return false }
        var isAfterSlash = false
        for offset in path.indices {
            let byte = path[offset]
            switch byte {
            case 0x25, 0x5C, 0x3B: return false
            case 0x2F:
                if isAfterSlash { return false }
                isAfterSlash = true
            case 0x2E:
                if isAfterSlash { return false }
            default: isAfterSlash = false
            }
        }
        return true
    }

    /// Whether dot segments are in `path` that only some servers see: once it is decoded, or beside a backslash or a semicolon. What
    /// one server takes for `/admin/..;/x` is `/x` for the next, so no route can be right for both: the answer is 400.
    ///
    /// Ask after those that everybody sees have been resolved, else they count too.
    public static func hidesDotSegments(_ path: Span<UInt8>) -> Bool {
        // Of the piece since the last separator: its length, and whether it is dots and nothing else.
        var length = 0
        var isDots = true
        var offset = 0
        while offset < path.count {
            var byte = path[offset]
            offset &+= 1
            if byte == 0x25, offset &+ 1 < path.count {
                let high = path[offset].hexadecimalValue
                let low = path[offset &+ 1].hexadecimalValue
                if high < 16, low < 16 {
                    byte = high &<< 4 | low
                    offset &+= 2
                }
            }
            switch byte {
            case 0x2F, 0x5C, 0x3B:
                if isDots, length == 1 || length == 2 { return true }
                length = 0
                isDots = true
            case 0x2E: length &+= 1
            default: isDots = false
            }
        }
        return isDots && (length == 1 || length == 2)
    }

    /// What those servers take for the path that read a target with two slashes at its start as a reference to another host
    /// (RFC 3986 §4.2): the rest behind that host. Empty where there is none; nil for every other path.
    @_lifetime(copy path)
    public static func pathBehindHost(_ path: Span<UInt8>) -> Span<UInt8>? {
        guard path.count > 1, path[0] == 0x2F, path[1] == 0x2F else { return nil }
        var offset = 2
        while offset < path.count, path[offset] == 0x2F { offset &+= 1 }
        while offset < path.count, path[offset] != 0x2F { offset &+= 1 }
        return path.extracting(offset...)
    }

    /// Appends the normal form of `path` to `output`, which needs room for `path.count + 1` bytes.
    ///
    /// False, with `output` as it was, when the path has `%00` or a malformed percent-encoding in it, climbs above the
    /// root or does not begin with a slash: the answer to all of these is 400. The empty path is `/` (RFC 9110 §4.2.3).
    public static func normalise(_ path: Span<UInt8>, into output: Block) -> Bool {
        precondition(output.free > path.count, "the block is too small for the path")
        let base = output.count
        output.append(0x2F)
        guard write(path, output, base) else {
            output.truncate(to: base)
            return false
        }
        return true
    }

    private static func write(_ path: Span<UInt8>, _ output: Block, _ base: Int) -> Bool {
        guard !path.isEmpty else { return true }
        // `%2F` at the start is no slash yet: no target begins so.
        guard path[0] == 0x2F else { return false }
        var segment = output.count
        var isInParameters = false
        var offset = 1
        while offset < path.count {
            var byte = path[offset]
            offset &+= 1
            if byte == 0x25 {
                guard offset &+ 1 < path.count else { return false }
                let high = path[offset].hexadecimalValue
                let low = path[offset &+ 1].hexadecimalValue
                guard high < 16, low < 16, high | low != 0 else { return false }
                byte = high &<< 4 | low
                offset &+= 2
            }
            switch byte {
            case 0x2F, 0x5C:
                guard endSegment(output, base, &segment, isLast: false) else { return false }
                isInParameters = false
            case 0x3B: isInParameters = true
            default: if !isInParameters { output.append(byte) }
            }
        }
        return endSegment(output, base, &segment, isLast: true)
    }

    /// Looks at the segment that begins at `segment` and ends where `output` does.
    private static func endSegment(_ output: Block, _ base: Int, _ segment: inout Int, isLast: Bool) -> Bool {
        let written = output.readable
        let length = written.count &- segment
        let isDot = length == 1 && written[segment] == 0x2E
        let isDotDot = length == 2 && written[segment] == 0x2E && written[segment &+ 1] == 0x2E
        if isDot {
            output.truncate(to: segment)
        } else if isDotDot {
            // The root has nothing above it.
            guard segment > base &+ 1 else { return false }
            var parent = segment &- 1
            while written[parent &- 1] != 0x2F { parent &-= 1 }
            output.truncate(to: parent)
            segment = parent
        } else if length > 0, !isLast {
            output.append(0x2F)
            segment = output.count
        }
        return true
    }
}
