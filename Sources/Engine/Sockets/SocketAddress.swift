// SPDX-License-Identifier: Apache-2.0
public import Bytes
public import Glibc

/// An IPv4 or IPv6 address and port: a plain value of 24 bytes that can be compared, printed and given to the kernel.
///
/// An IPv4 address that arrives as IPv6 (`::ffff:192.0.2.1`, as on a listener for both families) is kept as IPv4, so that
/// one client has one spelling.
public struct SocketAddress: Sendable, Equatable, Hashable {
    /// The address in network order: 16 bytes, of which IPv4 uses the last four of the mapped form.
    let high: UInt64
    let low: UInt64
    let scope: UInt32
    /// In host order.
    public let port: UInt16
    /// Whether it is an IPv4 address.
    public let isIPv4: Bool

    /// Reads a numeric address, IPv6 with or without brackets. Nil when it is not one (a name, for example).
    public init?(numeric text: String, port: UInt16) {
        var host = text
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        var v4 = in_addr()
        var v6 = in6_addr()
        if unsafe inet_pton(AF_INET, host, &v4) == 1 {
            self.init(ipv4: UInt32(bigEndian: v4.s_addr), port: port)
        } else if unsafe inet_pton(AF_INET6, host, &v6) == 1 {
            self.init(v6, port: port, scope: 0)
        } else {
            return nil
        }
    }

    /// Reads a numeric address with blanks round it, IPv6 with or without brackets, as fields have it; port 0. Nil when it is
    /// not one, as `192.0.2.1:80` is not. Allocates nothing.
    public init?(numeric text: Span<UInt8>) {
        var (start, end) = (0, text.count)
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        if end - start >= 2, text[start] == UInt8(ascii: "["), text[end - 1] == UInt8(ascii: "]") {
            start += 1
            end -= 1
        }
        guard end > start, end - start < Int(INET6_ADDRSTRLEN) else { return nil }
        var letters = InlineArray<46, CChar>(repeating: 0)
        for index in start..<end { letters[index - start] = CChar(bitPattern: text[index]) }
        var v4 = in_addr()
        var v6 = in6_addr()
        let family: Int32 = unsafe letters.span.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return -1 }
            if unsafe inet_pton(AF_INET, base, &v4) == 1 { return AF_INET }
            return unsafe inet_pton(AF_INET6, base, &v6) == 1 ? AF_INET6 : -1
        }
        switch family {
        case AF_INET: self.init(ipv4: UInt32(bigEndian: v4.s_addr), port: 0)
        case AF_INET6: self.init(v6, port: 0, scope: 0)
        default: return nil
        }
    }

    /// An IPv4 address given as a number (`0x7F00_0001` is 127.0.0.1).
    public init(ipv4 address: UInt32, port: UInt16) {
        high = 0
        low = 0x0000_FFFF_0000_0000 | UInt64(address)
        scope = 0
        isIPv4 = true
        self.port = port
    }

    private init(_ address: in6_addr, port: UInt16, scope: UInt32) {
        let words = unsafe withUnsafeBytes(of: address) { raw in
            unsafe (
                UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        high = words.0
        low = words.1
        isIPv4 = words.0 == 0 && words.1 >> 32 == 0xFFFF
        self.scope = scope
        self.port = port
    }

    /// What the kernel filled in. Nil for a family other than IPv4 and IPv6.
    public init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET:
            let v4 = unsafe withUnsafeBytes(of: storage) { unsafe $0.loadUnaligned(as: sockaddr_in.self) }
            self.init(ipv4: UInt32(bigEndian: v4.sin_addr.s_addr), port: UInt16(bigEndian: v4.sin_port))
        case AF_INET6:
            let v6 = unsafe withUnsafeBytes(of: storage) { unsafe $0.loadUnaligned(as: sockaddr_in6.self) }
            self.init(v6.sin6_addr, port: UInt16(bigEndian: v6.sin6_port), scope: v6.sin6_scope_id)
        default:
            return nil
        }
    }

    /// The same address with another port.
    public func with(port: UInt16) -> SocketAddress { SocketAddress(high, low, scope, port, isIPv4) }

    private init(_ high: UInt64, _ low: UInt64, _ scope: UInt32, _ port: UInt16, _ isIPv4: Bool) {
        self.high = high
        self.low = low
        self.scope = scope
        self.port = port
        self.isIPv4 = isIPv4
    }

    /// `AF_INET` or `AF_INET6`.
    public var family: Int32 { isIPv4 ? AF_INET : AF_INET6 }

    /// Lends the address in the kernel's form.
    public func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if isIPv4 {
            var v4 = sockaddr_in()
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            v4.sin_addr.s_addr = UInt32(truncatingIfNeeded: low).bigEndian
            return unsafe withUnsafePointer(to: v4) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var v6 = sockaddr_in6()
        v6.sin6_family = sa_family_t(AF_INET6)
        v6.sin6_port = port.bigEndian
        v6.sin6_scope_id = scope
        unsafe withUnsafeMutableBytes(of: &v6.sin6_addr) { raw in
            unsafe raw.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            unsafe raw.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return unsafe withUnsafePointer(to: v6) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }

    /// What stands for a client where clients are counted: an IPv4 address, or the first 64 bits of an IPv6 address, since
    /// everybody with an IPv6 network has as many addresses in it as he likes.
    public var clientNetwork: UInt64 { isIPv4 ? low : high }

    /// An address of 4 or 16 bytes in network order. Nil for another number of bytes.
    public init?(bytes: [UInt8], port: UInt16) {
        func word(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: self.init(ipv4: UInt32(word(0..<4)), port: port)
        case 16:
            let (high, low) = (word(0..<8), word(8..<16))
            self.init(high, low, 0, port, high == 0 && low >> 32 == 0xFFFF)
        default: return nil
        }
    }

    /// Whether the first `prefix` bits equal those of `bytes` (4 for IPv4, 16 for IPv6, network order).
    public func isIn(_ bytes: [UInt8], prefix: Int) -> Bool {
        guard bytes.count == (isIPv4 ? 4 : 16) else { return false }
        for index in bytes.indices {
            let bits = min(8, prefix - index * 8)
            guard bits > 0 else { return true }
            let mask = UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
            if (byte(isIPv4 ? index + 12 : index) ^ bytes[index]) & mask != 0 { return false }
        }
        return true
    }

    private func byte(_ index: Int) -> UInt8 {
        let word = index < 8 ? high : low
        return UInt8(truncatingIfNeeded: word >> UInt64(56 - (index & 7) * 8))
    }

    /// Appends the address without the port, IPv6 without brackets (at most 46 bytes).
    public func appendHost(to block: Block) {
        if isIPv4 {
            for index in 12..<16 {
                if index > 12 { block.append(UInt8(ascii: ".")) }
                block.append(decimal: UInt64(byte(index)))
            }
            return
        }
        var address = in6_addr()
        unsafe withUnsafeMutableBytes(of: &address) { raw in
            unsafe raw.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            unsafe raw.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        precondition(block.free >= Int(INET6_ADDRSTRLEN), "room for an IPv6 address")
        unsafe block.fill { free -> (written: Int, outcome: Void) in
            guard let start = unsafe free.baseAddress?.assumingMemoryBound(to: CChar.self),
                unsafe inet_ntop(AF_INET6, &address, start, socklen_t(free.count)) != nil
            else { return (0, ()) }
            return unsafe (strlen(start), ())
        }
    }

    /// The address without the port, IPv6 without brackets.
    public var host: String {
        let block = Block(capacity: 64)
        appendHost(to: block)
        return block.readable.string
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `192.0.2.1:80` or `[2001:db8::1]:80`.
    public var description: String { isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }
}
