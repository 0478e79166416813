// SPDX-License-Identifier: Apache-2.0
// Which downloads are in progress, so that many misses of one object make one request.

import Synchronization

final class FillTable: Sendable {
    private final class Part: Sendable {
        let table = Mutex<[ObjectID: Fill]>([:])
    }
    private let parts: InlineArray<64, Part>

    init() { parts = InlineArray { _ in Part() } }

    private func part(_ id: ObjectID) -> Part { parts[Int(truncatingIfNeeded: id.key.low & 63)] }

    /// The fill that is there and that `isUsable` says may be joined; otherwise one that `make` makes takes its place.
    func join(_ id: ObjectID, isUsable: (Fill) -> Bool, make: () -> Fill) -> (fill: Fill, isNew: Bool) {
        part(id).table.withLock { table in
            if let fill = table[id], isUsable(fill) { return (fill, false) }
            let fill = make()
            table[id] = fill
            return (fill, true)
        }
    }

    /// Takes `fill` out, if it is still there.
    func remove(_ fill: Fill) {
        part(fill.id).table.withLock { if $0[fill.id] === fill { $0[fill.id] = nil } }
    }

    func contains(_ id: ObjectID) -> Bool { part(id).table.withLock { $0[id] != nil } }

    func contains(_ fill: Fill) -> Bool { part(fill.id).table.withLock { $0[fill.id] === fill } }
}
