// SPDX-License-Identifier: Apache-2.0
// Hot objects whole in memory, and large ones as open files: whoever asks for one of them needs no system call to find it.
// Loops take the lock of one part for a look in a dictionary; adding and evicting happens on disk threads, under the lock of
// the order, which is always taken first.

import Bytes
import Synchronization

/// Objects, or open files, under a budget.
final class MemoryTier: Sendable {
    enum Resident: Sendable {
        case object(CachedObject)
        case file(StoredFile)
    }

    private final class Slot: Sendable {
        let id: ObjectID
        let resident: Resident
        let uses = Atomic<Int>(0)
        init(_ id: ObjectID, _ resident: Resident) {
            self.id = id
            self.resident = resident
        }
    }
    private struct Order {
        var queues = S3FIFO()
        var slots: ContiguousArray<Slot?> = []
    }
    private final class Part: Sendable {
        let table = Lock<[ObjectID: (slot: Slot, node: UInt32)]>([:])
    }
    private let parts: InlineArray<64, Part>
    private let order = Lock(Order())
    /// What all residents may cost together.
    let budget: Int

    init(budget: Int) {
        self.budget = budget
        parts = InlineArray { _ in Part() }
    }

    private func part(_ id: ObjectID) -> Part { parts[Int(truncatingIfNeeded: id.key.low & 63)] }

    /// Who is resident under `id`, and that it was asked for.
    func look(_ id: ObjectID) -> Resident? {
        guard let slot = part(id).table.withLock({ $0[id]?.slot }) else { return nil }
        // Two loops may count one use for two, which the order of eviction can bear.
        let uses = slot.uses.load(ordering: .relaxed)
        if uses < 3 { slot.uses.store(uses + 1, ordering: .relaxed) }
        return slot.resident
    }

    func contains(_ id: ObjectID) -> Bool { part(id).table.withLock { $0[id] != nil } }

    /// The objects of one key: its variants.
    func objects(of key: CacheHash) -> [CachedObject] {
        part(ObjectID(key: key)).table.withLock { table in
            table.compactMap { id, entry -> CachedObject? in
                guard id.key == key, case .object(let object) = entry.slot.resident else { return nil }
                return object
            }
        }
    }

    /// The residents of these keys.
    func ids(of keys: Set<CacheHash>) -> Set<ObjectID> {
        var found: Set<ObjectID> = []
        for part in Set(keys.map { Int(truncatingIfNeeded: $0.low & 63) }) {
            parts[part].table.withLock { table in
                for id in table.keys where keys.contains(id.key) { found.insert(id) }
            }
        }
        return found
    }

    /// How many residents there are.
    var count: Int { order.withLock { $0.queues.count } }

    /// Adds a resident, in place of the one of that id, and evicts others to make room. Too expensive a one is left out.
    func insert(_ id: ObjectID, _ resident: Resident, cost: Int) {
        // Who leaves is released when the lock is not held any more.
        var leaving: [Slot] = []
        order.withLock { order in
            remove(id, from: &order, into: &leaving)
            guard cost <= budget / 4 || cost == 1, cost <= Int(UInt32.max) else { return }
            while order.queues.size + cost > budget, let slot = evict(from: &order) { leaving.append(slot) }
            guard order.queues.size + cost <= budget else { return }
            let slot = Slot(id, resident)
            let node = order.queues.insert(hash: id.mixed, size: UInt32(cost))
            while order.slots.count <= Int(node) { order.slots.append(nil) }
            order.slots[Int(node)] = slot
            part(id).table.withLock { $0[id] = (slot, node) }
        }
    }

    /// Takes out who is resident under `id`.
    func remove(_ id: ObjectID) {
        var leaving: [Slot] = []
        guard part(id).table.withLock({ $0[id] != nil }) else { return }
        order.withLock { remove(id, from: &$0, into: &leaving) }
    }

    /// Takes out everybody.
    func removeAll() {
        var leaving: [Slot] = []
        order.withLock { order in
            while let slot = evict(from: &order) { leaving.append(slot) }
        }
    }

    /// What the residents cost now.
    var size: Int { order.withLock { $0.queues.size } }

    private func remove(_ id: ObjectID, from order: inout Order, into leaving: inout [Slot]) {
        guard let (slot, node) = part(id).table.withLock({ $0.removeValue(forKey: id) }) else { return }
        order.queues.remove(node)
        order.slots[Int(node)] = nil
        leaving.append(slot)
    }

    private func evict(from order: inout Order) -> Slot? {
        guard let node = Self.choose(&order.queues, order.slots), let slot = order.slots[Int(node)] else { return nil }
        order.slots[Int(node)] = nil
        part(slot.id).table.withLock { _ = $0.removeValue(forKey: slot.id) }
        return slot
    }

    private static func choose(_ queues: inout S3FIFO, _ slots: ContiguousArray<Slot?>) -> UInt32? {
        queues.evict(
            uses: { slots[Int($0)]?.uses.load(ordering: .relaxed) ?? 0 },
            setUses: { slots[Int($0)]?.uses.store($1, ordering: .relaxed) },
            hash: { slots[Int($0)]?.id.mixed ?? 0 })?.node
    }
}
