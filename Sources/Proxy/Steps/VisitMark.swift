// SPDX-License-Identifier: Apache-2.0
// How a gateway knows a request that it has forwarded before: by a name of its own, which no other gateway or process has, in
// `Via` (RFC 9110 §7.6.3) and in `CDN-Loop` (RFC 8586). In both, since what stands in between may lose one of them.
//
// The name is a pseudonym with 64 random bits, made at the start. A client that learns it from a server can have its own requests
// refused, and nothing else: who comes back is refused before anything is looked up, led or stored.

import Bytes
import HTTP

/// A gateway's name in the requests that it forwards.
struct VisitMark: Sendable {
    /// Bytes of every name.
    static let length = 24
    private let bytes: InlineArray<24, UInt8>

    /// A new name: `gateway-` and 16 hexadecimal digits.
    init() {
        var generator = SystemRandomNumberGenerator()
        let number = generator.next()
        let prefix: StaticString = "gateway-"
        bytes = InlineArray { index in
            guard index >= 8 else { return prefix.span[index] }
            return UInt8(hexadecimalDigit: UInt8(truncatingIfNeeded: number >> UInt64(4 * (23 - index))) & 15)
        }
    }

    /// Appends the name.
    func append(to block: Block) { block.append(bytes.span) }

    /// How often a request has been here, as far as its fields tell: the larger count of both.
    func visits(_ head: borrowing RequestHead, _ bytes: Span<UInt8>) -> Int {
        guard head.fields.has(.via) || head.fields.has(.cdnLoop) else { return 0 }
        var via = 0
        var loop = 0
        for position in 0..<head.fields.count {
            let field = head.fields[position]
            switch field.name {
            case .via: via += count(in: bytes.extracting(field.valueRange))
            case .cdnLoop: loop += count(in: bytes.extracting(field.valueRange))
            default: break
            }
        }
        return max(via, loop)
    }

    /// The words of a list that are the name, wherever they stand in their members and in any case: hops in between may write the
    /// list anew. Linear in its length.
    func count(in list: Span<UInt8>) -> Int {
        let own = bytes.span
        var found = 0
        var start = 0
        while start < list.count {
            var end = start
            while end < list.count, list[end].isToken { end += 1 }
            if end - start == Self.length, list.extracting(start..<end).equalsIgnoringCase(own) { found += 1 }
            start = end + 1
        }
        return found
    }
}
