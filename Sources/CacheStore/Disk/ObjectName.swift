// SPDX-License-Identifier: Apache-2.0

import Bytes

/// The names of objects' files: the hash of the key, and that of the variant where there is one.
enum ObjectName {
    static func of(_ id: ObjectID) -> String {
        guard id.variant != .none else { return digits(id.key) }
        return digits(id.key) + "-" + digits(id.variant)
    }

    private static func digits(_ hash: CacheHash) -> String {
        String(hexadecimal: hash.high, digits: 16) + String(hexadecimal: hash.low, digits: 16)
    }

    /// The object of a file's name, or nil when it is not one that `of` makes.
    static func read(_ name: String) -> ObjectID? {
        let bytes = Array(name.utf8)
        guard bytes.count == 32 || (bytes.count == 65 && bytes[32] == UInt8(ascii: "-")) else { return nil }
        var words: [UInt64] = []
        for start in bytes.count == 32 ? [0, 16] : [0, 16, 33, 49] {
            guard let word = UInt64(hexadecimal: bytes.span.extracting(start..<start + 16)) else { return nil }
            words.append(word)
        }
        let key = CacheHash(high: words[0], low: words[1])
        guard words.count == 4 else { return ObjectID(key: key) }
        let variant = CacheHash(high: words[2], low: words[3])
        return variant == .none ? nil : ObjectID(key: key, variant: variant)
    }

    static func isOurs(_ name: String) -> Bool { read(name) != nil }
}
