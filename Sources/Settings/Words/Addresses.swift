// SPDX-License-Identifier: Apache-2.0
// Numeric addresses, blocks of them, and host names. Addresses are kept in their shortest usual form, so that two
// spellings of one address are seen to be the same.

import Glibc

enum Addresses {
    /// The bytes of a numeric address in network order, 4 or 16 of them; nil for any other text.
    static func bytes(of text: String) -> [UInt8]? {
        // inet_pton stops at a NUL, so that what follows one would go unseen.
        guard !text.utf8.contains(0) else { return nil }
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 { return unsafe withUnsafeBytes(of: &four) { unsafe Array($0) } }
        var sixteen = in6_addr()
        if unsafe inet_pton(AF_INET6, text, &sixteen) == 1 {
            return unsafe withUnsafeBytes(of: &sixteen) { unsafe Array($0) }
        }
        return nil
    }

    /// The usual text of 4 or 16 bytes.
    static func text(of bytes: [UInt8]) -> String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = unsafe inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &buffer, socklen_t(buffer.count))
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// An address to listen on, in its usual form. Brackets round IPv6 are taken too.
    static func listen(_ text: String) throws(Refusal) -> String {
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        if let bytes = bytes(of: bare), bare == text || bytes.count == 16 { return Self.text(of: bytes) }
        let hint = text.lowercased() == "localhost" ? " (did you mean 127.0.0.1 or ::1?)" : ""
        throw Refusal("expected a numeric address, such as 127.0.0.1 or ::1; found \(quoted(text))\(hint)")
    }

    /// One block, or the blocks that a word stands for.
    static func ranges(_ text: String) throws(Refusal) -> [Configuration.AddressRange] {
        if let word = words.first(where: { $0.word == text }) { return word.ranges }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = bytes(of: String(parts[0])) else {
            throw Refusal(
                "expected an address block, such as 10.0.0.0/8 or fd00::/8, or one of the words loopback and private; "
                    + "found \(quoted(text))")
        }
        let bits = bytes.count * 8
        guard parts.count == 2 else { return [Configuration.AddressRange(bytes: bytes, prefix: bits)] }
        guard let prefix = Quantities.digits(parts[1]), prefix <= bits else {
            throw Refusal("expected a prefix length from 0 to \(bits) after the slash; found \(quoted(text))")
        }
        let masked = masked(bytes, to: prefix)
        guard masked == bytes else {
            throw Refusal(
                "\(quoted(text)) has bits beyond its prefix (did you mean \(Self.text(of: masked))/\(prefix) or "
                    + "\(Self.text(of: bytes))/\(bits)?)")
        }
        return [Configuration.AddressRange(bytes: bytes, prefix: prefix)]
    }

    /// A block as the file has it.
    static func text(of range: Configuration.AddressRange) -> String { "\(text(of: range.bytes))/\(range.prefix)" }

    /// Blocks for people: the word that stands for them, if there is one.
    static func summary(of ranges: [Configuration.AddressRange]) -> String {
        if ranges.isEmpty { return "none" }
        return words.first { $0.ranges == ranges }?.word ?? ranges.map { text(of: $0) }.joined(separator: ", ")
    }

    /// The blocks that the word `loopback` stands for.
    static let loopback = blocks([([127, 0, 0, 0], 8), ([UInt8](repeating: 0, count: 15) + [1], 128)])

    /// A host name in lower case, or a numeric IPv4 address; nil for other texts, such as 300.1.1.1 or a_b..c.
    static func hostName(_ text: String) -> String? {
        if let bytes = bytes(of: text) { return bytes.count == 4 ? text : nil }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard !text.isEmpty, text.utf8.count <= 253, labels.allSatisfy(isLabel) else { return nil }
        // A last label of digits only would be a mistyped address: no top-level domain is a number.
        guard let last = labels.last, Quantities.digits(last) == nil else { return nil }
        return text.lowercased()
    }

    private static func isLabel(_ label: Substring) -> Bool {
        guard (1...63).contains(label.utf8.count), label.first != "-", label.last != "-" else { return false }
        return label.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }

    private static func masked(_ bytes: [UInt8], to prefix: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(8, max(0, prefix - index * 8))
            return kept == 0 ? 0 : byte & (0xFF << UInt8(8 - kept))
        }
    }

    private static let words: [(word: String, ranges: [Configuration.AddressRange])] = [
        ("loopback", loopback),
        (
            "private",
            blocks([
                ([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16),
                ([0xFC] + [UInt8](repeating: 0, count: 15), 7),
            ])
        ),
    ]

    private static func blocks(_ list: [([UInt8], Int)]) -> [Configuration.AddressRange] {
        list.map { Configuration.AddressRange(bytes: $0.0, prefix: $0.1) }
    }
}
