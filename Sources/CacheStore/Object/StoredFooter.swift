// SPDX-License-Identifier: Apache-2.0
// What stands behind the body in a file: a checksum for each 64 KiB of the body, so that a large body can be checked while
// it is sent; a checksum of these, which is bound to the head; and the magic number again.

/// The checksums of a body's chunks.
package enum StoredFooter {
    /// The piece of a body that has a checksum of its own, in bytes.
    package static let chunk = 64 << 10

    /// How many chunks a body has.
    package static func chunks(_ bodyLength: Int) -> Int { (bodyLength + chunk - 1) / chunk }
    /// The length of the footer of such a body.
    package static func length(_ bodyLength: Int) -> Int { chunks(bodyLength) * 8 + 16 }
    /// The checksum of the chunk with that number: its place counts, so that two cannot be exchanged.
    package static func sum(_ bytes: Span<UInt8>, number: Int) -> UInt64 { Checksum.of(bytes, seed: UInt64(number)) }

    package static func make(_ sums: [UInt64], head checksum: UInt64) -> CachedBody {
        unsafe CachedBody(count: sums.count * 8 + 16) { memory in
            for (index, sum) in sums.enumerated() { unsafe memory.put(sum, at: index * 8) }
            let table = unsafe UnsafeRawBufferPointer(rebasing: memory[..<(sums.count * 8)])
            unsafe memory.put(Checksum.of(table, seed: checksum), at: sums.count * 8)
            unsafe memory.put(StoredHead.magic, at: sums.count * 8 + 8)
        }
    }

    /// The checksums in the footer that stands at `offset` of `image` and ends it, or nil when they are not as written.
    package static func read(_ image: CachedBody, at offset: Int, head: StoredHead) -> [UInt64]? {
        let count = chunks(head.bodyLength)
        guard offset >= 0, image.count - offset == length(head.bodyLength),
            image.number(at: offset + count * 8 + 8, as: UInt64.self) == StoredHead.magic
        else { return nil }
        let table = image.bytes.extracting(offset..<offset + count * 8)
        guard Checksum.of(table, seed: head.checksum) == image.number(at: offset + count * 8, as: UInt64.self) else {
            return nil
        }
        return (0..<count).map { image.number(at: offset + $0 * 8, as: UInt64.self) }
    }
}
