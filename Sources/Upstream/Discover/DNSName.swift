// SPDX-License-Identifier: Apache-2.0

/// A domain name as it is sent and compared: labels with their lengths, lower case, ending with the root (RFC 1035 section
/// 3.1; case does not count, section 2.3.3).
struct DNSName: Sendable, Hashable {
    /// Bytes of a name at most, the root's included (RFC 1035 section 2.3.4).
    static let limit = 255
    /// Bytes of a label at most.
    static let labelLimit = 63

    /// Length and label in turn, then 0.
    let bytes: [UInt8]

    /// Reads `example.org` or `example.org.`; nil when that is no name.
    init?(_ text: String) {
        var bytes: [UInt8] = []
        let labels = text.hasSuffix(".") ? text.dropLast() : text[...]
        guard !labels.isEmpty else { return nil }
        for label in labels.split(separator: ".", omittingEmptySubsequences: false) {
            let letters = Array(label.utf8)
            guard (1...Self.labelLimit).contains(letters.count) else { return nil }
            bytes.append(UInt8(letters.count))
            bytes += letters.map { Self.lower($0) }
        }
        bytes.append(0)
        guard bytes.count <= Self.limit else { return nil }
        self.bytes = bytes
    }

    /// Reads the name at `offset` of a message, following pointers (RFC 1035 section 4.1.4), and moves `offset` behind it.
    ///
    /// Every pointer must lead to before the part of the name that ends in it, so that there is an end to them.
    init(in message: Span<UInt8>, at offset: inout Int) throws(DNSProblem) {
        var bytes: [UInt8] = []
        var position = offset
        var start = offset
        var hasJumped = false
        while true {
            guard position < message.count else { throw .malformed(position) }
            let length = Int(message[position])
            if length == 0 {
                bytes.append(0)
                if !hasJumped { offset = position + 1 }
                break
            }
            if length & 0xC0 == 0xC0 {
                guard position + 1 < message.count else { throw .malformed(position) }
                let target = (length & 0x3F) << 8 | Int(message[position + 1])
                guard target < start else { throw .malformed(position) }
                if !hasJumped { offset = position + 2 }
                hasJumped = true
                start = target
                position = target
                continue
            }
            guard length <= Self.labelLimit, position + 1 + length <= message.count,
                bytes.count + 1 + length < Self.limit
            else { throw .malformed(position) }
            bytes.append(UInt8(length))
            for index in position + 1..<position + 1 + length { bytes.append(Self.lower(message[index])) }
            position += 1 + length
        }
        self.bytes = bytes
    }

    /// Whether it is the root: an SRV target that means "not here" (RFC 2782).
    var isRoot: Bool { bytes.count == 1 }

    /// As people write it, without the last dot. Bytes that have no place in a host's name become `?`.
    var text: String {
        var text = ""
        var position = 0
        while position < bytes.count, bytes[position] > 0 {
            let end = min(bytes.count, position + 1 + Int(bytes[position]))
            if !text.isEmpty { text += "." }
            for byte in bytes[position + 1..<end] {
                let isPlain = byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: ".")
                text.unicodeScalars.append(Unicode.Scalar(isPlain ? byte : UInt8(ascii: "?")))
            }
            position = end
        }
        return text
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}

/// What is wrong with a message.
enum DNSProblem: Error, Equatable, Sendable {
    /// It answers another question, or is no answer: perhaps somebody guesses. The true one may still come.
    case notOurs
    /// It is not a message (the offset at which that was found).
    case malformed(Int)
}
