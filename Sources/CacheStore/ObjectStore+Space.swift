// SPDX-License-Identifier: Apache-2.0
// The cap on the disk: room is reserved before a byte is written, and made by evicting, so what the folder takes never
// exceeds the cap. Reservations are in whole blocks; what a file really took is put right when it is complete.

import Glibc
import Synchronization

extension ObjectStore {
    /// What an object's name takes in its folder, with the room that folders keep.
    static let nameBytes = 128
    /// What the folders and the small files take whatever is stored.
    static let folderBytes = 1 << 20

    /// The units that a file of that length takes, with one for what large files need to be found.
    static func units(length: Int) -> UInt32 {
        let units = (length + CacheIndex.unit - 1) / CacheIndex.unit + (length > 1 << 20 ? 1 : 0)
        return UInt32(clamping: units)
    }

    /// The units that a file takes.
    static func units(_ status: stat) -> UInt32 {
        UInt32(
            clamping: max(
                (Int(status.st_blocks) * 512 + CacheIndex.unit - 1) / CacheIndex.unit,
                (Int(status.st_size) + CacheIndex.unit - 1) / CacheIndex.unit))
    }

    /// Reserves `bytes`, evicting as much as that needs. False when there is nothing left to evict. Blocks.
    func reserve(_ bytes: Int) -> Bool {
        while true {
            let used = counters.diskBytes.load(ordering: .relaxed)
            if used + bytes <= options.diskBytes {
                let done = counters.diskBytes.compareExchange(
                    expected: used, desired: used + bytes, ordering: .relaxed)
                if done.exchanged { return true }
            } else {
                guard bytes <= options.diskBytes, evictOne() else { return false }
            }
        }
    }

    /// Gives back what was reserved.
    func release(_ bytes: Int) { counters.diskBytes.subtract(bytes, ordering: .relaxed) }

    /// Evicts until the cap holds: after it was set lower, or files were found that nobody knew of. Blocks.
    func trim() {
        while counters.diskBytes.load(ordering: .relaxed) > options.diskBytes, evictOne() {}
    }

    private func evictOne() -> Bool {
        guard let (id, bytes) = index.evict() else { return false }
        withName(id) {
            files.remove(id)
            // Stored anew in the meantime: its name leads to another file now.
            guard !index.contains(id) else { return }
            folder.remove(id)
            note(.removed, id)
        }
        release(bytes + Self.nameBytes)
        counters.evictions.count()
        if journal.isBloated(live: index.count) { compactJournal() }
        return true
    }

    /// Writes the journal anew, which makes it smaller. Blocks.
    func compactJournal() {
        // Room for both, for as long as there are two.
        let extra = index.count * IndexJournal.recordLength
        counters.diskBytes.add(extra, ordering: .relaxed)
        let outcome = journal.compact(index)
        if outcome?.isDone == false { counters.diskErrors.count() }
        release(extra - (outcome?.growth ?? 0))
    }
}
