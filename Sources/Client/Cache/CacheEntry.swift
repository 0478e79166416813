// SPDX-License-Identifier: Apache-2.0
// A stored response, open for reading. The file is that of `CacheStore` (a head with a checksum, the body, a checksum for
// every 64 KiB of it); what the client adds stands in its metadata:
//
//     length of the URL     4, and the URL, for people
//     length of the names   4, and the request fields that the response varies on
//     the status line and the stored fields, up to an empty line

import Bytes
import CachePolicy
import CacheStore
import Engine
import Glibc
import HTTP

/// A stored response. Belongs to one thread.
final class CacheEntry {
    /// Bodies up to this many bytes are checked whole before a byte of them leaves.
    static let checkedFirst = 8 << 20

    /// The file's head.
    let stored: StoredHead
    /// Where the file is, in the cache's folder.
    let place: CachePlace
    /// The URL, for people.
    let url: String
    /// Names of the request fields that it varies on.
    let varyNames: [UInt8]
    /// Status line, fields and an empty line.
    private(set) var bytes: [UInt8]
    /// What they say.
    private(set) var head: ResponseHead
    /// How long it may be used.
    private(set) var policy: ResponsePolicy
    private let descriptor: Descriptor
    private let sums: [UInt64]

    /// Opens a file; nil when it is not as it was written.
    init?(_ place: CachePlace, in folder: Int32) {
        guard case .success(let number) = FileCalls.open(place.path, in: folder) else { return nil }
        let descriptor = Descriptor(adopting: number)
        guard let status = FileCalls.status(number), FileCalls.isRegular(status),
            let start = FileCalls.bytes(number, at: 0, count: min(StoredHead.fixedLength, Int(status.st_size))),
            let length = StoredHead.length(in: start), length <= Int(status.st_size),
            let image = FileCalls.bytes(number, at: 0, count: length), let stored = StoredHead(reading: image)
        else { return nil }
        let end = stored.length + stored.bodyLength
        guard Int(status.st_size) == end + StoredFooter.length(stored.bodyLength),
            let footer = FileCalls.bytes(number, at: end, count: StoredFooter.length(stored.bodyLength)),
            let sums = StoredFooter.read(footer, at: 0, head: stored),
            let policy = ResponsePolicy(stored.record)
        else { return nil }
        var reader = MetadataReader(stored.metadata)
        guard let url = reader.text(), let names = reader.text() else { return nil }
        let bytes = reader.rest()
        guard let head = Self.parse(bytes) else { return nil }
        self.stored = stored
        self.place = place
        self.url = String(decoding: url, as: UTF8.self)
        varyNames = names
        self.bytes = bytes
        self.head = head
        self.policy = policy
        self.sums = sums
        self.descriptor = descriptor
        // When it was last used, for eviction; not on every use, which would be a write each.
        if time(nil) - status.st_mtim.tv_sec > 60 { futimens(number, nil) }
    }

    /// Reads a head; nil when it is none.
    static func parse(_ bytes: [UInt8]) -> ResponseHead? {
        var parser = ResponseParser()
        var head = ResponseHead()
        do throws(ParseFailure) {
            guard
                try parser.parse(
                    bytes.span, limits: HeadLimits(headBytes: 65_535, lineBytes: 65_535), requestMethod: .get,
                    into: &head)
            else { return nil }
        } catch { return nil }
        return head
    }

    /// The fields and the policy are others now, as a validation has it.
    func take(_ bytes: [UInt8], _ head: consuming ResponseHead, _ policy: ResponsePolicy) {
        self.bytes = bytes
        self.head = head
        self.policy = policy
    }

    /// Bytes of the body.
    var length: UInt64 { UInt64(stored.bodyLength) }
    /// How many pieces the body has.
    var chunks: Int { sums.count }
    /// Bytes of each but the last.
    static let chunkBytes = StoredFooter.chunk

    /// Reads a piece into `block`, which is emptied; false when it is not what was written.
    func read(_ number: Int, into block: Block) -> Bool {
        block.clear()
        let start = number * StoredFooter.chunk
        let count = min(StoredFooter.chunk, stored.bodyLength - start)
        let offset = stored.length + start
        let fd = descriptor.number
        let got = unsafe block.fill { room -> (written: Int, outcome: Int) in
            let got =
                unsafe FileCalls.read(fd, into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]), at: offset)
                ?? 0
            return (got, got)
        }
        return got == count && StoredFooter.sum(block.readable, number: number) == sums[number]
    }

    /// Whether the body is as it was written, as far as that is looked at beforehand.
    func isSound(_ block: Block) -> Bool {
        guard stored.bodyLength <= Self.checkedFirst else { return true }
        return (0..<chunks).allSatisfy { read($0, into: block) }
    }

    /// Copies the body and its checksums behind another head.
    func copy(to fd: Int32, head: StoredHead) -> Bool {
        let footer = StoredFooter.make(sums, head: head.checksum)
        return gatewayCopy(descriptor.number, stored.length, fd, head.length, stored.bodyLength)
            && FileCalls.write(fd, footer.bytes, at: head.length + stored.bodyLength) == 0
    }

    /// Bytes of the file.
    var fileBytes: Int { stored.length + stored.bodyLength + StoredFooter.length(stored.bodyLength) }
}

/// Reads what stands in the metadata.
private struct MetadataReader {
    private var left: ArraySlice<UInt8>

    init(_ bytes: Span<UInt8>) {
        left = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }[...]
    }

    mutating func text() -> [UInt8]? {
        guard left.count >= 4 else { return nil }
        var length = 0
        for (index, byte) in left.prefix(4).enumerated() { length |= Int(byte) << (8 * index) }
        left = left.dropFirst(4)
        guard length <= left.count else { return nil }
        defer { left = left.dropFirst(length) }
        return Array(left.prefix(length))
    }

    func rest() -> [UInt8] { Array(left) }
}

/// Where a stored response is: folder and name are its hashes.
struct CachePlace: Equatable, Hashable, Sendable {
    /// Two digits.
    let part: String
    /// The hash of the URL, a dot, the hash of everything else that it is kept apart by.
    let name: String
    /// Below the cache's folder.
    var path: String { "\(part)/\(name)" }
    /// Whether it is of the form that this cache gives to its files: everything else is somebody else's.
    var isOwn: Bool {
        let hashes = name.split(separator: ".", omittingEmptySubsequences: false)
        return part.utf8.count == 2 && name.hasPrefix(part) && hashes.count == 2
            && hashes.allSatisfy { $0.utf8.count == 32 && $0.utf8.allSatisfy(\.isLowerHexadecimal) }
    }

    init(part: String, name: String) {
        self.part = part
        self.name = name
    }

    init(_ id: ObjectID) {
        let key = Self.digits(id.key)
        part = String(key.prefix(2))
        name = "\(key).\(Self.digits(id.variant))"
    }

    /// How names of responses to one URL begin.
    static func prefix(_ key: CacheHash) -> (part: String, name: String) {
        let digits = digits(key)
        return (String(digits.prefix(2)), digits + ".")
    }

    private static func digits(_ hash: CacheHash) -> String {
        String(hexadecimal: hash.high, digits: 16) + String(hexadecimal: hash.low, digits: 16)
    }
}

extension ResponsePolicy {
    /// What a record says; nil for one that is not the client's.
    init?(_ record: CacheRecord) {
        let words = record.words
        guard words[5] == Self.mark else { return nil }
        self.init()
        flags = Flags(rawValue: UInt16(truncatingIfNeeded: words[0]))
        status = UInt16(truncatingIfNeeded: words[0] >> 16)
        lifetime = UInt32(truncatingIfNeeded: words[0] >> 32)
        staleWhileRevalidate = UInt32(truncatingIfNeeded: words[1])
        staleIfError = UInt32(truncatingIfNeeded: words[1] >> 32)
        initialAge = Int64(bitPattern: words[2])
        responseTime = Int64(bitPattern: words[3])
        date = Int64(bitPattern: words[4])
    }

    /// The policy in eight numbers.
    var record: CacheRecord {
        var words = InlineArray<8, UInt64>(repeating: 0)
        words[0] = UInt64(flags.rawValue) | UInt64(status) << 16 | UInt64(lifetime) << 32
        words[1] = UInt64(staleWhileRevalidate) | UInt64(staleIfError) << 32
        words[2] = UInt64(bitPattern: initialAge)
        words[3] = UInt64(bitPattern: responseTime)
        words[4] = UInt64(bitPattern: date)
        words[5] = Self.mark
        return CacheRecord(words: words)
    }

    /// "client1": another layout has another mark.
    private static var mark: UInt64 { 0x3174_6E65_696C_63 }
}
