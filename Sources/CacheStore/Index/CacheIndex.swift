// SPDX-License-Identifier: Apache-2.0
// What is on the disk, in memory: 256 parts, each under a lock that is held for a probe of a hash table. Loops look things up
// and take only that lock. The order of eviction is one for all, under a lock of its own that only disk threads take; it is
// always taken before that of a part.

import Bytes
import Synchronization

/// The index of the objects on disk. Sizes are in units of 4 KiB.
final class CacheIndex: Sendable {
    static let unit = 4096
    private let parts: InlineArray<256, Part>
    private let order = Lock(S3FIFO())

    private final class Part: Sendable {
        let table = Lock(IndexTable())
    }

    init() { parts = InlineArray { _ in Part() } }

    /// The record of an object, and that it was asked for. Nil when it is not known.
    func look(_ id: ObjectID) -> CacheRecord? { parts[id.part].table.withLock { $0.look(id) } }

    func contains(_ id: ObjectID) -> Bool { parts[id.part].table.withLock { $0.slot(of: id) != nil } }

    /// All objects of one key: its variants.
    func variants(of key: CacheHash) -> [(id: ObjectID, record: CacheRecord, bytes: Int)] {
        order.withLock { order in
            parts[ObjectID(key: key).part].table.withLock { table in
                table.slots { $0.id.key == key }.map {
                    (table[$0].id, table[$0].record, Int(order.size(of: table[$0].node)) * Self.unit)
                }
            }
        }
    }

    var count: Int { order.withLock { $0.count } }

    enum Arrival {
        /// Newly stored.
        case new
        /// Known from before.
        case old(isMain: Bool)
    }

    /// Adds or replaces an object; the size in bytes of what was replaced, or nil.
    func insert(_ id: ObjectID, _ record: CacheRecord, units: UInt32, _ arrival: Arrival = .new) -> Int? {
        order.withLock { order in
            parts[id.part].table.withLock { table in
                if let slot = table.slot(of: id) {
                    let old = order.size(of: table[slot].node)
                    order.resize(table[slot].node, to: units)
                    table[slot].record = record
                    return Int(old) * Self.unit
                }
                let slot = table.add(id, record)
                let tag = UInt32(id.part) << 24 | slot
                switch arrival {
                case .new: table[slot].node = order.insert(tag: tag, hash: id.mixed, size: units)
                case .old(let isMain): table[slot].node = order.insert(tag: tag, size: units, isMain: isMain)
                }
                return nil
            }
        }
    }

    /// Forgets an object; its size in bytes, or nil when it was not known.
    func remove(_ id: ObjectID) -> Int? {
        order.withLock { order in
            parts[id.part].table.withLock { table in
                guard let slot = table.slot(of: id) else { return nil }
                let node = table[slot].node
                let units = order.size(of: node)
                order.remove(node)
                table.remove(slot)
                return Int(units) * Self.unit
            }
        }
    }

    /// Takes out who is to leave next; nil when there is nobody.
    func evict() -> (id: ObjectID, bytes: Int)? {
        order.withLock { order in
            var bytes = 0
            let size = order.size
            let victim = order.evict(
                uses: { tag in parts[Int(tag >> 24)].table.withLock { Int($0[tag & 0xFF_FFFF].uses) } },
                setUses: { tag, uses in
                    parts[Int(tag >> 24)].table.withLock { $0[tag & 0xFF_FFFF].uses = UInt8(uses) }
                },
                hash: { tag in parts[Int(tag >> 24)].table.withLock { $0[tag & 0xFF_FFFF].id.mixed } })
            guard let victim else { return nil }
            bytes = (size - order.size) * Self.unit
            let id = parts[Int(victim.tag >> 24)].table.withLock { table in
                let id = table[victim.tag & 0xFF_FFFF].id
                table.remove(victim.tag & 0xFF_FFFF)
                return id
            }
            return (id, bytes)
        }
    }

    /// All objects of a part.
    func ids(part: Int) -> [ObjectID] { parts[part].table.withLock { $0.ids } }

    /// All objects, in the order in which they are to be inserted again. The locks are held for the tags only; who leaves
    /// meanwhile is left out.
    func snapshot() -> some Sequence<Snapshot> {
        var tags: [(tag: UInt32, units: UInt32, isMain: Bool)] = []
        order.withLock { order in
            tags.reserveCapacity(order.count)
            order.forEach { tags.append(($0, $1, $2)) }
        }
        return tags.lazy.compactMap { [self] entry -> Snapshot? in
            parts[Int(entry.tag >> 24)].table.withLock { table in
                let slot = entry.tag & 0xFF_FFFF
                guard table.isUsed(slot) else { return nil }
                return Snapshot(
                    id: table[slot].id, record: table[slot].record, units: entry.units, isMain: entry.isMain)
            }
        }
    }

    struct Snapshot {
        let id: ObjectID
        let record: CacheRecord
        let units: UInt32
        let isMain: Bool
    }
}

/// One part: entries in slabs that never move (so growing does not hold the lock for long), chained from a table of heads.
///
/// `@unchecked Sendable`: the memory belongs to this value alone, which stands behind its part's lock and is never copied.
///
/// `@safe` because slabs and heads are allocated and freed by this value, and every slot number is one that it has handed out.
@safe struct IndexTable: ~Copyable, @unchecked Sendable {
    struct Entry {
        var id: ObjectID
        var record: CacheRecord
        /// Its node in the order of eviction.
        var node: UInt32
        /// The next in its chain, or the next free one.
        var next: UInt32
        /// How often it was asked for, at most 3.
        var uses: UInt8
    }
    private static let none = UInt32.max
    private static let slab = 256
    /// The uses of a free entry.
    private static let unused = UInt8.max
    private var slabs: ContiguousArray<UnsafeMutablePointer<Entry>> = unsafe []
    private var heads = ContiguousArray<UInt32>(repeating: none, count: 16)
    private var used: UInt32 = 0
    private var firstFree = none
    private(set) var count = 0

    deinit { unsafe slabs.forEach { unsafe $0.deallocate() } }

    subscript(slot: UInt32) -> Entry {
        unsafeAddress { unsafe UnsafePointer(address(slot)) }
        unsafeMutableAddress { unsafe address(slot) }
    }

    private func address(_ slot: UInt32) -> UnsafeMutablePointer<Entry> {
        unsafe slabs[Int(slot) / Self.slab] + Int(slot) % Self.slab
    }

    private func chain(_ id: ObjectID) -> Int { Int(truncatingIfNeeded: id.mixed) & (heads.count - 1) }

    func slot(of id: ObjectID) -> UInt32? {
        var slot = heads[chain(id)]
        while slot != Self.none {
            let entry = unsafe address(slot)
            if unsafe entry.pointee.id == id { return slot }
            slot = unsafe entry.pointee.next
        }
        return nil
    }

    mutating func look(_ id: ObjectID) -> CacheRecord? {
        guard let slot = slot(of: id) else { return nil }
        if self[slot].uses < 3 { self[slot].uses += 1 }
        return self[slot].record
    }

    mutating func add(_ id: ObjectID, _ record: CacheRecord) -> UInt32 {
        if count >= heads.count { grow() }
        let slot: UInt32
        if firstFree != Self.none {
            slot = firstFree
            firstFree = self[slot].next
        } else {
            slot = used
            if unsafe Int(slot) == slabs.count * Self.slab { unsafe slabs.append(.allocate(capacity: Self.slab)) }
            used += 1
        }
        let chain = chain(id)
        let entry = Entry(id: id, record: record, node: 0, next: heads[chain], uses: 0)
        unsafe address(slot).initialize(to: entry)
        heads[chain] = slot
        count += 1
        return slot
    }

    mutating func remove(_ slot: UInt32) {
        let chain = chain(self[slot].id)
        if heads[chain] == slot {
            heads[chain] = self[slot].next
        } else {
            var before = heads[chain]
            while self[before].next != slot { before = self[before].next }
            self[before].next = self[slot].next
        }
        self[slot].next = firstFree
        self[slot].uses = Self.unused
        firstFree = slot
        count -= 1
    }

    private mutating func grow() {
        let old = heads
        heads = ContiguousArray(repeating: Self.none, count: old.count * 2)
        for head in old {
            var slot = head
            while slot != Self.none {
                let next = self[slot].next
                let chain = chain(self[slot].id)
                self[slot].next = heads[chain]
                heads[chain] = slot
                slot = next
            }
        }
    }

    func isUsed(_ slot: UInt32) -> Bool { slot < used && self[slot].uses != Self.unused }

    var ids: [ObjectID] { slots { _ in true }.map { self[$0].id } }

    /// The entries that are `wanted`. Looks at all.
    func slots(where wanted: (Entry) -> Bool) -> [UInt32] {
        (0..<used).filter { isUsed($0) && wanted(self[$0]) }
    }
}
