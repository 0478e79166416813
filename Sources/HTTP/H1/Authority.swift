// SPDX-License-Identifier: Apache-2.0
// host [ ":" port ], as it stands in Host and in request targets (RFC 9110 §7.2, RFC 3986 §3.2).

internal import Bytes

/// A host with an optional port.
public struct Authority: Sendable, Equatable {
    /// Offsets of the host in the bytes given; an IPv6 address with its brackets. Never empty.
    public var hostRange: Range<Int>
    /// The port, nil when there is none or an empty one (`host:`, which RFC 3986 §3.2.3 allows and means none).
    public var port: UInt16?

    /// Reads an authority without userinfo; nil when it is not one.
    ///
    /// Narrower than RFC 3986: no percent-encoding and no comma in the name, no IPvFuture and no zone. No such name is
    /// ever looked up, and each is read differently by different servers.
    public static func parse(_ bytes: Span<UInt8>) -> Authority? {
        guard !bytes.isEmpty else { return nil }
        var offset = 0
        if bytes[0] == 0x5B {
            guard let close = bytes.firstIndex(of: 0x5D), isIPv6(bytes.extracting(1..<close)) else { return nil }
            offset = close &+ 1
        } else {
            while offset < bytes.count, ByteClass.host.contains(bytes[offset]) { offset &+= 1 }
        }
        guard offset > 0 else { return nil }
        let host = 0..<offset
        guard offset < bytes.count else { return Authority(hostRange: host, port: nil) }
        guard bytes[offset] == 0x3A else { return nil }
        offset &+= 1
        guard offset < bytes.count else { return Authority(hostRange: host, port: nil) }
        guard bytes.count &- offset <= 5 else { return nil }
        var port: UInt32 = 0
        while offset < bytes.count {
            let digit = bytes[offset] &- 0x30
            guard digit < 10 else { return nil }
            port = port &* 10 &+ UInt32(digit)
            offset &+= 1
        }
        guard let port = UInt16(exactly: port) else { return nil }
        return Authority(hostRange: host, port: port)
    }

    /// Whether the bytes are an IPv6 address (RFC 3986 §3.2.2): eight groups, or fewer with one `::`; the last two may
    /// be written as an IPv4 address.
    static func isIPv6(_ bytes: Span<UInt8>) -> Bool {
        var offset = 0
        var groups = 0
        var hasGap = false
        if bytes.count >= 2, bytes[0] == 0x3A, bytes[1] == 0x3A {
            hasGap = true
            offset = 2
        }
        while offset < bytes.count {
            let start = offset
            while offset < bytes.count, bytes[offset].hexadecimalValue < 16 { offset &+= 1 }
            if offset < bytes.count, bytes[offset] == 0x2E {
                guard isIPv4(bytes.extracting(start..<bytes.count)) else { return false }
                groups &+= 2
                break
            }
            guard offset > start, offset &- start <= 4, groups < 8 else { return false }
            groups &+= 1
            guard offset < bytes.count else { break }
            guard bytes[offset] == 0x3A else { return false }
            offset &+= 1
            guard offset < bytes.count else { return false }
            if bytes[offset] == 0x3A {
                guard !hasGap else { return false }
                hasGap = true
                offset &+= 1
            }
        }
        return hasGap ? groups < 8 : groups == 8
    }

    /// Whether the bytes are an IPv4 address in its only unambiguous spelling: four numbers without leading zeros.
    static func isIPv4(_ bytes: Span<UInt8>) -> Bool {
        var parts = 0
        var offset = 0
        while true {
            let start = offset
            var value: UInt32 = 0
            while offset < bytes.count, offset &- start < 3, bytes[offset] &- 0x30 < 10 {
                value = value &* 10 &+ UInt32(bytes[offset] &- 0x30)
                offset &+= 1
            }
            guard offset > start, value <= 255, offset &- start == 1 || bytes[start] != 0x30 else { return false }
            parts &+= 1
            if offset == bytes.count { return parts == 4 }
            guard bytes[offset] == 0x2E, parts < 4 else { return false }
            offset &+= 1
        }
    }
}

extension Span where Element == UInt8 {
    /// The host of an authority that is valid (`host`, `host:port`, `[v6]:port`): what is before the port.
    public var withoutPort: Span<UInt8> {
        @_lifetime(copy self)
        get {
            var start = count
            // Digits may be a port, anything else belongs to the host.
            while start > 0, self[start &- 1].isDigit { start &-= 1 }
            guard start > 0, self[start &- 1] == 0x3A else { return self }
            return extracting(first: start &- 1)
        }
    }
}
