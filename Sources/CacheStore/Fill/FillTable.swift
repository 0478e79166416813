// SPDX-License-Identifier: Apache-2.0
// Which downloads are in progress, so that many misses of one object make one request.

import Bytes
import Synchronization

final class FillTable: Sendable {
    private final class Part: Sendable {
        let table = Lock<[ObjectID: Fill]>([:])
    }
    /// All variants of a key are in one part.
    private let parts: InlineArray<64, Part>

    init() { parts = InlineArray { _ in Part() } }

    private func part(_ key: CacheHash) -> Part { parts[Int(truncatingIfNeeded: key.low & 63)] }

    /// The fill that is there and that `isUsable` says may be joined; otherwise one that `make` makes takes its place, and what was
    /// there is not stored.
    func join(_ id: ObjectID, isUsable: (Fill) -> Bool, make: () -> Fill) -> (fill: Fill, isNew: Bool) {
        part(id.key).table.withLock { table in
            if let fill = table[id] {
                if isUsable(fill) { return (fill, false) }
                fill.invalidate()
            }
            let fill = make()
            table[id] = fill
            return (fill, true)
        }
    }

    /// What is being downloaded for that key is not stored, nor joined.
    func invalidate(_ key: CacheHash) {
        part(key).table.withLock { table in
            for (id, fill) in table where id.key == key { fill.invalidate() }
        }
    }

    /// Takes `fill` out, if it is still there.
    func remove(_ fill: Fill) {
        part(fill.id.key).table.withLock { if $0[fill.id] === fill { $0[fill.id] = nil } }
    }

    func contains(_ id: ObjectID) -> Bool { part(id.key).table.withLock { $0[id] != nil } }

    func contains(key: CacheHash) -> Bool { part(key).table.withLock { $0.keys.contains { $0.key == key } } }

    func contains(_ fill: Fill) -> Bool { part(fill.id.key).table.withLock { $0[fill.id] === fill } }
}
