// SPDX-License-Identifier: Apache-2.0
// A cookie that leads a client back to the server that answered it first. Its value is a keyed hash of the server's address:
// nobody can read the address from it, or make one for a server that he wants (threat: internal addresses disclosed by
// BIG-IP's and other cookies).

public import Bytes

/// The values of a pool's sticky cookie: pure.
public struct StickyCookie: Sendable {
    /// The cookie's name.
    public let name: [UInt8]
    private let key: HashKey

    /// A cookie whose values depend on `secret`. Gateways with the same secret take each other's cookies.
    public init(name: String, secret: String) {
        self.name = Array(name.utf8)
        let bytes = Array(secret.utf8)
        let hash = HashKey(0x7374_6963_6B79_2063, 0x6F6F_6B69_6520_6B65)
            .hash(bytes.span, rounds: 2, finalRounds: 4)
        key = HashKey(hash.low, hash.high)
    }

    /// A cookie with a secret of its own: the values mean nothing to another process, or after a restart.
    public init(name: String) {
        self.name = Array(name.utf8)
        var generator = SystemRandomNumberGenerator()
        key = HashKey(generator.next(), generator.next())
    }

    /// What stands for a server in the cookie.
    ///
    /// - Parameter name: What the server is known by, such as its address.
    public func token(for name: [UInt8]) -> UInt64 { key.hash(name.span, rounds: 2, finalRounds: 4).low }

    /// Bytes of a value.
    public static let valueLength = 16

    /// Reads a value; nil when it is none that was written here.
    public static func token(_ value: Span<UInt8>) -> UInt64? {
        value.count == valueLength ? UInt64(hexadecimal: value) : nil
    }

    /// Writes the field's value: the cookie for the server with this token, for the whole site and no script.
    ///
    /// - Parameters:
    ///   - isSecure: Whether the client came through TLS; then the cookie is for TLS only.
    ///   - block: Has room for `setCookieLimit` bytes and the name.
    public func appendSetCookie(_ token: UInt64, isSecure: Bool, to block: Block) {
        block.append(name.span)
        block.append(UInt8(ascii: "="))
        block.append(hexadecimal: token, digits: Self.valueLength)
        block.append("; Path=/; HttpOnly; SameSite=Lax")
        if isSecure { block.append("; Secure") }
    }

    /// Bytes that the field's value has beside the name, at most.
    public static let setCookieLimit = 80
}

/// Finding one cookie among those of a `Cookie` field (RFC 6265 section 4.2.1): pure.
public enum CookieReader {
    /// Where the value of the first cookie with this name stands, without quotes round it; nil when there is none.
    public static func value(of name: Span<UInt8>, in field: Span<UInt8>) -> Range<Int>? {
        var start = 0
        while start < field.count {
            let end = field.firstIndex(of: UInt8(ascii: ";"), from: start) ?? field.count
            while start < end, isBlank(field[start]) { start += 1 }
            let equals = start + name.count
            if equals < end, field[equals] == UInt8(ascii: "="), field.extracting(start..<equals).equals(name) {
                var from = equals + 1
                var to = end
                while to > from, isBlank(field[to - 1]) { to -= 1 }
                if to - from >= 2, field[from] == UInt8(ascii: "\""), field[to - 1] == UInt8(ascii: "\"") {
                    from += 1
                    to -= 1
                }
                return from..<to
            }
            start = end + 1
        }
        return nil
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
