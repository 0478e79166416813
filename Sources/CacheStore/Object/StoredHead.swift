// SPDX-License-Identifier: Apache-2.0
// What stands before the body in a file. All numbers are stored least significant byte first.
//
//     0  magic                8     112  length of the body       8
//     8  format version       4     120  stored at, seconds       8
//    12  length of the head   4     128  purge generation         8
//    16  hash of the key     16     136  length of the key        4
//    32  hash of the variant 16     140  length of the metadata   4
//    48  the caller's record 64     144  number of scopes         4, and 4 zeros
//                                   152  checksum of all the rest 8
//   160  scopes (8 each), key, metadata, zeros up to the length; then the body, and the footer (see StoredFooter)
//
// The body of a large object begins with a page: `sendfile` hands over whole pages then, which is a third cheaper.

import Bytes

/// Tells a stored object from others that have had its name, or will. Opaque.
public struct StoredVersion: Equatable, Sendable {
    fileprivate let checksum: UInt64

    /// That of the object whose file begins with these bytes; nil when they are no head.
    init?(start: CachedBody) {
        guard StoredHead.length(in: start) != nil else { return nil }
        checksum = start.number(at: 152, as: UInt64.self)
    }

    fileprivate init(_ head: StoredHead) { checksum = head.checksum }
}

/// The head of a stored object: what it is, and what the caller said of it. Immutable.
public final class StoredHead: Sendable {
    static let magic: UInt64 = 0x4548_4341_4357_4721  // "!GWCACHE"
    static let version: UInt32 = 1
    package static let fixedLength = 160
    /// The longest primary key, in bytes.
    public static let keyLimit = 16 << 10
    /// The most metadata, in bytes.
    public static let metadataLimit = 64 << 10
    /// The most scopes that an object may belong to.
    public static let scopeLimit = 128
    /// The head of a body of at least so many bytes fills whole pages.
    static let alignedLength = 256 << 10
    private static let page = 4096
    static let lengthLimit = fixedLength + scopeLimit * 8 + keyLimit + metadataLimit + page

    /// What it is found by.
    public let id: ObjectID
    /// The caller's record.
    public let record: CacheRecord
    /// Length of the body in bytes.
    public let bodyLength: Int
    /// When it was stored, in seconds since 1970.
    public let storedAt: UInt64
    /// The purge generation in which its download began.
    let generation: UInt64
    package let checksum: UInt64
    /// Which of the objects it is that have this name in turn. Two with the same head, validators and the second of storing
    /// included, count as one.
    public var version: StoredVersion { StoredVersion(self) }
    let scopeCount: Int
    /// Length of the head in bytes; the body follows.
    package let length: Int
    /// The head, and perhaps what follows.
    private let image: CachedBody
    private let keyLength: Int
    private let metadataLength: Int

    /// The primary key.
    public var key: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let start = Self.fixedLength + scopeCount * 8
            return part(start..<start + keyLength)
        }
    }

    /// The caller's metadata.
    public var metadata: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let start = Self.fixedLength + scopeCount * 8 + keyLength
            return part(start..<start + metadataLength)
        }
    }

    /// The head as it stands in the file.
    var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { part(0..<length) }
    }

    @_lifetime(borrow self)
    private func part(_ range: Range<Int>) -> Span<UInt8> {
        let image = image
        let bytes = image.bytes.extracting(range)
        return unsafe _overrideLifetime(bytes, borrowing: self)
    }

    /// Whether that is its primary key.
    package func hasKey(_ other: Span<UInt8>) -> Bool { key.equals(other) }

    func scope(_ index: Int) -> CacheScope {
        CacheScope(hash: image.number(at: Self.fixedLength + index * 8, as: UInt64.self))
    }

    /// The length of the head of such an object: of its own when it is not known yet how long the body is, and in the common case
    /// that it is small.
    package static func length(key: CachedBody, _ said: ObjectDescription) -> Int {
        let length = length(key: key.count, metadata: said.metadata.count, scopes: said.scopes.count)
        return said.bodyLength ?? 0 < alignedLength ? length : (length + page - 1) / page * page
    }

    /// The length of a head with so much in it, unless it fills whole pages.
    package static func length(key: Int, metadata: Int, scopes: Int) -> Int {
        fixedLength + scopes * 8 + key + metadata
    }

    /// The length that the first bytes of a file say their head has, or nil when they are none of ours.
    package static func length(in start: CachedBody) -> Int? {
        guard start.count >= fixedLength, start.number(at: 0, as: UInt64.self) == magic,
            start.number(at: 8, as: UInt32.self) == version
        else { return nil }
        let length = Int(start.number(at: 12, as: UInt32.self))
        return length >= fixedLength && length <= lengthLimit ? length : nil
    }

    /// The purge generation that the first bytes of a file name.
    static func generation(in start: CachedBody) -> UInt64 { start.number(at: 128, as: UInt64.self) }

    /// Reads the head at the start of `image`, or nil when anything in it is not as it was written.
    package init?(reading image: CachedBody) {
        guard let length = Self.length(in: image), image.count >= length else { return nil }
        let head = image.bytes.extracting(0..<length)
        let written = image.number(at: 152, as: UInt64.self)
        guard Self.sum(head) == written else { return nil }
        // The sum holds, so what follows is what was written; the checks are for what should not have been.
        let keyLength = Int(image.number(at: 136, as: UInt32.self))
        let metadataLength = Int(image.number(at: 140, as: UInt32.self))
        let scopeCount = Int(image.number(at: 144, as: UInt32.self))
        let bodyLength = image.number(at: 112, as: UInt64.self)
        guard keyLength <= Self.keyLimit, metadataLength <= Self.metadataLimit, scopeCount <= Self.scopeLimit,
            bodyLength < 1 << 48
        else { return nil }
        let padding = length - Self.length(key: keyLength, metadata: metadataLength, scopes: scopeCount)
        guard padding >= 0, padding < Self.page else { return nil }
        self.image = image
        self.length = length
        self.keyLength = keyLength
        self.metadataLength = metadataLength
        self.scopeCount = scopeCount
        self.bodyLength = Int(bodyLength)
        checksum = written
        id = ObjectID(key: Self.hash(image, at: 16), variant: Self.hash(image, at: 32))
        var words = InlineArray<8, UInt64>(repeating: 0)
        for index in 0..<8 { words[index] = image.number(at: 48 + index * 8, as: UInt64.self) }
        record = CacheRecord(words: words)
        storedAt = image.number(at: 120, as: UInt64.self)
        generation = image.number(at: 128, as: UInt64.self)
    }

    /// Writes a head of `length` bytes (see `length(key:_:)`) into memory, at its start.
    package static func write(
        _ id: ObjectID, key: CachedBody, _ said: ObjectDescription, bodyLength: Int, storedAt: UInt64,
        generation: UInt64, length: Int, into memory: UnsafeMutableRawBufferPointer
    ) {
        let metadata = said.metadata.count
        unsafe memory.put(magic, at: 0)
        unsafe memory.put(version, at: 8)
        unsafe memory.put(UInt32(length), at: 12)
        for (index, word) in [id.key.high, id.key.low, id.variant.high, id.variant.low].enumerated() {
            unsafe memory.put(word, at: 16 + index * 8)
        }
        for index in 0..<8 { unsafe memory.put(said.record.words[index], at: 48 + index * 8) }
        unsafe memory.put(UInt64(bodyLength), at: 112)
        unsafe memory.put(storedAt, at: 120)
        unsafe memory.put(generation, at: 128)
        unsafe memory.put(UInt32(key.count), at: 136)
        unsafe memory.put(UInt32(metadata), at: 140)
        unsafe memory.put(UInt32(said.scopes.count), at: 144)
        var offset = fixedLength
        for scope in said.scopes {
            unsafe memory.put(scope.hash, at: offset)
            offset += 8
        }
        unsafe memory.put(key.bytes, at: offset)
        let metadataBytes = said.metadata
        unsafe memory.put(metadataBytes.bytes, at: offset + key.count)
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[(offset + key.count + metadata)..<length])
            .initializeMemory(as: UInt8.self, repeating: 0)
        let head = unsafe UnsafeRawBufferPointer(rebasing: memory[..<length])
        unsafe memory.put(sum(head), at: 152)
    }

    private static func hash(_ image: CachedBody, at offset: Int) -> CacheHash {
        CacheHash(high: image.number(at: offset, as: UInt64.self), low: image.number(at: offset + 8, as: UInt64.self))
    }

    private static func sum(_ head: Span<UInt8>) -> UInt64 { unsafe head.withUnsafeBytes { unsafe sum($0) } }

    /// Over everything but the sum itself.
    private static func sum(_ head: UnsafeRawBufferPointer) -> UInt64 {
        let first = unsafe Checksum.of(UnsafeRawBufferPointer(rebasing: head[..<152]), seed: UInt64(head.count))
        return unsafe Checksum.of(UnsafeRawBufferPointer(rebasing: head[160...]), seed: first)
    }
}

/// What the caller says of an object when it is to be stored. Immutable.
public final class ObjectDescription: Sendable {
    /// The caller's metadata.
    public let metadata: CachedBody
    /// The caller's record.
    public let record: CacheRecord
    /// What the object belongs to, for purges.
    public let scopes: [CacheScope]
    /// The length of the body in bytes, when it is known beforehand.
    public let bodyLength: Int?

    /// Metadata of at most `StoredHead.metadataLimit` bytes and at most `StoredHead.scopeLimit` scopes; an object described
    /// with more is delivered but not stored.
    public init(metadata: CachedBody, record: CacheRecord, scopes: [CacheScope] = [], bodyLength: Int? = nil) {
        self.metadata = metadata
        self.record = record
        self.scopes = scopes
        self.bodyLength = bodyLength
    }

    /// The same with another record.
    func with(_ record: CacheRecord) -> ObjectDescription {
        ObjectDescription(metadata: metadata, record: record, scopes: scopes, bodyLength: bodyLength)
    }

    /// Whether it is within the limits of what a file can hold beside the body.
    public var fits: Bool { metadata.count <= StoredHead.metadataLimit && scopes.count <= StoredHead.scopeLimit }
}

/// A whole object in memory, checked once when it was read. Immutable.
public final class CachedObject: Sendable {
    /// What it is.
    public let head: StoredHead
    /// Its body.
    public let body: CachedBody
    /// How much memory it takes, in bytes, with all that is kept of it.
    let cost: Int
    /// What it takes besides the bytes of its head and body: five allocations, and its places in the table and in the order of the
    /// memory tier (docs/measurements.md).
    static let overhead = 640

    /// `bytes`: those of head and body, which are one piece of memory.
    init(head: StoredHead, body: CachedBody, bytes: Int) {
        self.head = head
        self.body = body
        cost = bytes + Self.overhead
    }
}
