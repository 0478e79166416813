// SPDX-License-Identifier: Apache-2.0

/// A hash of 128 bits, computed by the caller.
public struct CacheHash: Hashable, Sendable {
    /// The upper half. Its top byte picks the folder of the file and the part of the index.
    public var high: UInt64
    /// The lower half.
    public var low: UInt64

    /// The hash made of these halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// What an object without variants has as its variant.
    public static let none = CacheHash(high: 0, low: 0)

    /// The halves are hashes already, so one of them is enough for a dictionary.
    public func hash(into hasher: inout Hasher) { hasher.combine(low) }
}

/// What an object is found by: the hash of its primary key, and that of what its response varied on.
public struct ObjectID: Hashable, Sendable {
    /// The hash of the primary key. The key itself is stored and compared as well.
    public var key: CacheHash
    /// The hash of the variant; `CacheHash.none` where there is none.
    public var variant: CacheHash

    /// The object with these hashes.
    public init(key: CacheHash, variant: CacheHash = .none) {
        self.key = key
        self.variant = variant
    }

    /// Which of 256 parts of the index, and which folder, the object is in.
    var part: Int { Int(truncatingIfNeeded: key.high >> 56) }

    /// 64 bits of it all, for hash tables.
    var mixed: UInt64 {
        var mixed = key.low ^ (variant.low &* 0x9E37_79B9_7F4A_7C15)
        mixed ^= mixed >> 29
        return mixed &* 0xBF58_476D_1CE4_E5B9
    }
}

/// 64 bytes that belong to the caller: what its policy needs of an object before the object is opened. The index keeps them
/// in memory for every object.
public struct CacheRecord: Equatable, Sendable {
    /// The caller's eight numbers.
    public var words: InlineArray<8, UInt64>

    /// The record of these numbers, or of zeros.
    public init(words: InlineArray<8, UInt64> = .init(repeating: 0)) { self.words = words }

    /// Equal in all eight.
    public static func == (left: CacheRecord, right: CacheRecord) -> Bool {
        for index in 0..<8 where left.words[index] != right.words[index] { return false }
        return true
    }
}

/// Something that a purge may name and objects belong to: a host, a path, a URL, a tag.
///
/// The store knows scopes only as hashes: the caller lists those of an object when it stores it, and names one to purge.
/// Two scopes with one hash would be purged together, which costs a miss and nothing else.
public struct CacheScope: Hashable, Sendable {
    /// The hash.
    public let hash: UInt64
    /// Whether it is a tag, which only the response names. False for one that was read from a file.
    let isTag: Bool

    /// What kind of thing a scope's name is, so that a host and a tag of the same name are two scopes.
    public enum Kind: UInt64, Sendable {
        /// A host.
        case host = 1
        /// A host and the start of a path, up to and with a slash.
        case prefix
        /// A URL: all variants of one key.
        case url
        /// A tag that the response named.
        case tag
    }

    /// The scope of that kind and name.
    public init(_ kind: Kind, _ name: Span<UInt8>) {
        hash = Checksum.of(name, seed: kind.rawValue)
        isTag = kind == .tag
    }

    /// The scope with that hash.
    init(hash: UInt64) {
        self.hash = hash
        isTag = false
    }

    /// Whether their hashes are.
    public static func == (left: CacheScope, right: CacheScope) -> Bool { left.hash == right.hash }

    /// The hash, hashed.
    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}
