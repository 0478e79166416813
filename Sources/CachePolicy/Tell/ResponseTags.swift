// SPDX-License-Identifier: Apache-2.0
// The tags by which groups of responses are purged: Surrogate-Key (separated by blanks) and Cache-Tag (by commas).

public import HTTP
public import Bytes

/// The tags of a response, as hashes. Case counts.
public struct ResponseTags: Sendable {
    /// Most tags. A response with more is not stored (`StoreRefusal.tooManyTags`), since a purge would miss it.
    public static let limit = 64

    /// How many there are.
    public private(set) var count = 0
    private var hashes = InlineArray<64, UInt64>(repeating: 0)

    /// Reads both fields; nil when there are too many tags. The same tag twice counts once.
    public init?(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ key: HashKey) {
        self.init(head.fields, bytes, key)
    }

    /// The same of a request that purges them.
    public init?(_ head: borrowing RequestHead, _ bytes: Span<UInt8>, _ key: HashKey) {
        self.init(head.fields, bytes, key)
    }

    private init?(_ fields: borrowing FieldTable, _ bytes: Span<UInt8>, _ key: HashKey) {
        for position in 0..<fields.count {
            let field = fields[position]
            guard field.name == .surrogateKey || field.name == .cacheTag else { continue }
            let line = bytes.extracting(field.valueRange)
            let isList = field.name == .cacheTag
            var offset = 0
            while offset < line.count {
                var end = offset
                while end < line.count, isList ? line[end] != 0x2C : !line[end].isBlank { end &+= 1 }
                let next = end &+ 1
                while offset < end, line[offset].isBlank { offset &+= 1 }
                while end > offset, line[end &- 1].isBlank { end &-= 1 }
                if offset < end, !add(ResponseTags.hash(line.extracting(offset..<end), key)) { return nil }
                offset = next
            }
        }
    }

    /// The hash at `position`, from 0 until `count`.
    public subscript(_ position: Int) -> UInt64 {
        precondition(position >= 0 && position < count, "a tag that is not in the list")
        return hashes[position]
    }

    /// The hash of a tag, as a purge names it.
    public static func hash(_ tag: Span<UInt8>, _ key: HashKey) -> UInt64 { key.hash(tag).low }

    private mutating func add(_ hash: UInt64) -> Bool {
        for position in 0..<count where hashes[position] == hash { return true }
        guard count < ResponseTags.limit else { return false }
        hashes[count] = hash
        count &+= 1
        return true
    }
}
