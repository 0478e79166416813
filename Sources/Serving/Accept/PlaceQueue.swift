// SPDX-License-Identifier: Apache-2.0

/// Doors that wait for a place, by number: pure, with the time passed in.
///
/// A place that becomes free goes to the door of the same loop, which can take it without waking anybody, unless another one
/// has waited for longer than `patience`. So a loop whose connections all ended gets its part again, and loops need not wake each
/// other for every place.
struct PlaceQueue: Sendable, Equatable {
    /// One that waits.
    struct Entry: Sendable, Equatable {
        let door: Int
        /// Since when, in milliseconds.
        let since: UInt64
        /// It waits since all places are taken; otherwise its clients have more than their share.
        let wantsRoom: Bool
    }

    /// In the order of their coming.
    private(set) var entries: [Entry] = []
    /// How long a place stays within its loop although others wait, in milliseconds.
    static let patience: UInt64 = 10

    /// Those among them that wait because all places are taken.
    var roomCount: Int { entries.reduce(0) { $0 + ($1.wantsRoom ? 1 : 0) } }

    /// A door waits from now on; one that waits already goes on waiting since it did.
    mutating func join(_ door: Int, at now: UInt64, wantsRoom: Bool) {
        if let index = entries.firstIndex(where: { $0.door == door }) {
            entries[index] = Entry(door: door, since: entries[index].since, wantsRoom: wantsRoom)
        } else {
            entries.append(Entry(door: door, since: now, wantsRoom: wantsRoom))
        }
    }

    /// A door waits no more.
    mutating func leave(_ door: Int) { entries.removeAll { $0.door == door } }

    /// Who gets a place that became free at `door`. It waits no more.
    mutating func next(at door: Int, now: UInt64) -> Int? {
        guard let first = entries.first else { return nil }
        if first.since + Self.patience >= now, let index = entries.firstIndex(where: { $0.door == door }) {
            return entries.remove(at: index).door
        }
        return entries.removeFirst().door
    }

    /// Who gets a place for which `door` had no use: one that certainly has. It waits no more.
    mutating func nextForRoom(after door: Int) -> Int? {
        guard let index = entries.firstIndex(where: { $0.wantsRoom && $0.door != door }) else { return nil }
        return entries.remove(at: index).door
    }
}
