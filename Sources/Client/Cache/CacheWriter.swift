// SPDX-License-Identifier: Apache-2.0
// A response on its way into the cache: written to a temporary file while it comes, and given its name when it is complete.
// Nothing that goes wrong here is more than a response that is not stored.

import Bytes
import CachePolicy
import CacheStore
import CLinux
import Engine
import Glibc
import HTTP

/// What is known of a response before its body.
struct CacheDescription {
    /// Names the file.
    var id: ObjectID
    /// The canonical key.
    var key: [UInt8]
    /// For people.
    var url: String
    /// What it varies on.
    var varyNames: [UInt8]
    /// Status line, fields, empty line.
    var head: [UInt8]
    /// How long it may be used.
    var policy: ResponsePolicy

    private var metadata: [UInt8] {
        var result: [UInt8] = []
        for text in [Array(url.utf8), varyNames] {
            for shift in stride(from: 0, to: 32, by: 8) {
                result.append(UInt8(truncatingIfNeeded: text.count >> shift))
            }
            result += text
        }
        return result + head
    }

    /// Bytes of the file's head.
    var headLength: Int { StoredHead.length(key: key.count, metadata: metadata.count, scopes: 0) }

    /// Whether a file can hold it.
    var fits: Bool {
        key.count <= StoredHead.keyLimit && metadata.count <= StoredHead.metadataLimit
    }

    /// The file's head, for a body of that length.
    func storedHead(bodyLength: Int) -> CachedBody {
        let said = ObjectDescription(metadata: CachedBody(metadata.span), record: policy.record)
        let key = CachedBody(self.key.span)
        return unsafe CachedBody(count: headLength) { memory in
            unsafe StoredHead.write(
                id, key: key, said, bodyLength: bodyLength, storedAt: UInt64(max(0, time(nil))), generation: 0,
                length: headLength, into: memory)
        }
    }
}

/// Writes one response. Belongs to one thread.
final class CacheWriter {
    private let cache: ClientCache
    private let description: CacheDescription
    private let descriptor: Descriptor
    private let temporary: String
    private let chunk = Block(capacity: StoredFooter.chunk)
    private var sums: [UInt64] = []
    private var length = 0
    private var isAlive = true

    /// Begins a file; nil when that cannot be.
    init?(_ description: CacheDescription, in cache: ClientCache) {
        guard description.fits, let temporary = TemporaryFile(in: cache) else { return nil }
        self.cache = cache
        self.description = description
        self.temporary = temporary.name
        descriptor = temporary.take()
    }

    deinit { if isAlive { abandon() } }

    /// Appends a piece of the body. Once one cannot be written the response is not stored.
    func append(_ bytes: Span<UInt8>) {
        var offset = 0
        while isAlive, offset < bytes.count {
            offset += chunk.appendPrefix(bytes.extracting(offset...))
            if chunk.free == 0 { writeChunk() }
        }
    }

    private func writeChunk() {
        let chunk = chunk
        guard length + chunk.count <= cache.objectLimit,
            FileCalls.write(descriptor.number, chunk.readable, at: description.headLength + length) == 0
        else {
            abandon()
            return
        }
        sums.append(StoredFooter.sum(chunk.readable, number: sums.count))
        length += chunk.count
        chunk.clear()
    }

    /// The body is complete. Whether the response is stored now.
    func finish() -> Bool {
        if isAlive, !chunk.isEmpty { writeChunk() }
        guard isAlive else { return false }
        let image = description.storedHead(bodyLength: length)
        guard let head = StoredHead(reading: image) else {
            abandon()
            return false
        }
        let footer = StoredFooter.make(sums, head: head.checksum)
        let total = description.headLength + length + footer.count
        guard FileCalls.write(descriptor.number, footer.bytes, at: description.headLength + length) == 0,
            FileCalls.write(descriptor.number, image.bytes, at: 0) == 0,
            cache.publish(temporary, as: CachePlace(description.id), bytes: total)
        else {
            abandon()
            return false
        }
        isAlive = false
        return true
    }

    /// Leaves nothing behind.
    func abandon() {
        isAlive = false
        unsafe unlinkat(cache.folder, temporary, 0)
    }
}

/// A file under a name that nobody looks for. It is locked for as long as its writer lives: what is not locked was left
/// behind by one that was killed.
struct TemporaryFile: ~Copyable {
    /// Below the cache's folder.
    let name: String
    private let descriptor: Descriptor

    init?(in cache: ClientCache) {
        var random = SystemRandomNumberGenerator()
        name = "\(ClientCache.temporaries)/\(getpid())-\(String(random.next(), radix: 16))"
        guard case .success(let number) = FileCalls.open(name, in: cache.folder, O_RDWR | O_CREAT | O_EXCL) else {
            return nil
        }
        descriptor = Descriptor(adopting: number)
        _ = gw_lock(number)
    }

    /// Whether a name is of the form that `init` gives: digits, a hyphen, hexadecimal digits.
    static func isOwn(_ name: String) -> Bool {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && parts[0].utf8.allSatisfy(\.isDigit)
            && parts[1].utf8.allSatisfy(\.isLowerHexadecimal)
    }

    /// Its descriptor.
    var number: Int32 { descriptor.number }

    /// Gives the descriptor away.
    consuming func take() -> Descriptor { descriptor }
}

/// Copies between files. The corresponding C function is `copy_file_range`.
func gatewayCopy(_ from: Int32, _ fromOffset: Int, _ to: Int32, _ toOffset: Int, _ count: Int) -> Bool {
    gw_copy(from, off_t(fromOffset), to, off_t(toOffset), count) == 0
}
