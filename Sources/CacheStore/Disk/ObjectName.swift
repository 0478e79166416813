// SPDX-License-Identifier: Apache-2.0

/// The names of objects' files: the hash of the key, and that of the variant where there is one.
enum ObjectName {
    static func of(_ id: ObjectID) -> String {
        let key = hexadecimal(id.key.high, digits: 16) + hexadecimal(id.key.low, digits: 16)
        guard id.variant != .none else { return key }
        return key + "-" + hexadecimal(id.variant.high, digits: 16) + hexadecimal(id.variant.low, digits: 16)
    }

    /// The object of a file's name, or nil when it is not one that `of` makes.
    static func read(_ name: String) -> ObjectID? {
        let bytes = Array(name.utf8)
        guard bytes.count == 32 || (bytes.count == 65 && bytes[32] == UInt8(ascii: "-")) else { return nil }
        var words: [UInt64] = []
        for start in bytes.count == 32 ? [0, 16] : [0, 16, 33, 49] {
            var word: UInt64 = 0
            for byte in bytes[start..<start + 16] {
                switch byte {
                case 0x30...0x39: word = word << 4 | UInt64(byte - 0x30)
                case 0x61...0x66: word = word << 4 | UInt64(byte - 0x57)
                default: return nil
                }
            }
            words.append(word)
        }
        let key = CacheHash(high: words[0], low: words[1])
        guard words.count == 4 else { return ObjectID(key: key) }
        let variant = CacheHash(high: words[2], low: words[3])
        return variant == .none ? nil : ObjectID(key: key, variant: variant)
    }

    static func isOurs(_ name: String) -> Bool { read(name) != nil }

    static func hexadecimal(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
