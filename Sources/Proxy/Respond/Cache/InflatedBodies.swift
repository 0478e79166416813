// SPDX-License-Identifier: Apache-2.0
// Small stored bodies in the identity form. To inflate 64 KiB costs several times what serving it costs, and some clients (and
// their benchmarks) never take gzip; what they ask for again and again is inflated once.

import Bytes
import CacheStore
import ContentCoding

/// What one loop has inflated lately. Belongs to the loop.
final class InflatedBodies {
    /// Bytes of a body that is kept, at most.
    static let bodyLimit = 256 << 10
    /// Bytes of all of them, at most; what they were made from is not counted, and is smaller.
    static let byteLimit = 8 << 20
    private static let slotCount = 256

    private struct Slot {
        /// The object that was asked for last, which may be gone.
        var asked: ObjectIdentifier?
        /// The object that `body` is of; kept, so that no other can pass for it.
        var object: CachedObject?
        var body: CachedBody?
    }

    private var slots = ContiguousArray(repeating: Slot(), count: slotCount)
    private var bytes = 0
    private lazy var scratch = Block(capacity: Self.bodyLimit)

    /// The body of a stored object in the identity form, of that length, when it is small and asked for repeatedly; else nil.
    func body(of object: CachedObject, length: UInt64, _ codings: CodingPool) -> CachedBody? {
        guard length <= UInt64(Self.bodyLimit) else { return nil }
        let id = object.head.id
        let index = Int((id.key.low ^ id.variant.high) % UInt64(Self.slotCount))
        if slots[index].object === object { return slots[index].body }
        guard slots[index].asked == ObjectIdentifier(object) else {
            slots[index].asked = ObjectIdentifier(object)
            return nil
        }
        guard let body = inflate(object.body, length, codings) else { return nil }
        bytes -= slots[index].body?.count ?? 0
        if bytes + body.count > Self.byteLimit {
            for index in slots.indices { slots[index] = Slot() }
            bytes = 0
        }
        bytes += body.count
        slots[index] = Slot(asked: ObjectIdentifier(object), object: object, body: body)
        return body
    }

    private func inflate(_ coded: CachedBody, _ length: UInt64, _ codings: CodingPool) -> CachedBody? {
        let decoder = codings.takeDecoder(limit: length)
        defer { codings.give(decoder) }
        scratch.clear()
        var offset = 0
        while true {
            let step = decoder.decode(coded.bytes.extracting(offset...), into: scratch)
            offset += step.consumed
            switch step.state {
            // At its limit it has to be asked whether that was the end.
            case .outputFull where scratch.count == Int(length) && offset < coded.count: continue
            case .ended where scratch.count == Int(length): return CachedBody(scratch.readable)
            default: return nil
            }
        }
    }
}
