// SPDX-License-Identifier: Apache-2.0
// The cap on the disk: room is reserved before a byte is written, and made by evicting, so what the folder takes never
// exceeds the cap. Reservations are in whole blocks; what a file really took is put right when it is complete. Counted are
// the blocks of files, also of those that have no name any more but are open still, of folders, and of the journals.

import Dispatch
import Engine
import Glibc
import Synchronization

extension ObjectStore {
    /// By how much a folder may grow with a name.
    static let folderBytes = 4096
    /// What the small files take, and what the lengths of the journals are short of whole blocks.
    static let fixedBytes = 64 << 10

    /// The units that a file of that length takes, with one for what large files need to be found.
    static func units(length: Int) -> UInt32 {
        let units = (length + CacheIndex.unit - 1) / CacheIndex.unit + (length > 1 << 20 ? 1 : 0)
        return UInt32(clamping: units)
    }

    /// The units that a file takes.
    static func units(_ status: stat) -> UInt32 {
        UInt32(
            clamping: max(
                (FileCalls.blockBytes(status) + CacheIndex.unit - 1) / CacheIndex.unit,
                (Int(status.st_size) + CacheIndex.unit - 1) / CacheIndex.unit))
    }

    /// Reserves `bytes`, evicting as much as that needs. False when there is nothing left to evict, or that is not wanted.
    /// Blocks.
    func reserve(_ bytes: Int, evicting: Bool = true) -> Bool {
        while true {
            let used = counters.diskBytes.load(ordering: .relaxed)
            if used + bytes <= options.diskBytes {
                let done = counters.diskBytes.compareExchange(
                    expected: used, desired: used + bytes, ordering: .relaxed)
                if done.exchanged { return true }
            } else {
                guard evicting, bytes <= options.diskBytes, evictOne() else { return false }
            }
        }
    }

    /// Gives back what was reserved.
    func release(_ bytes: Int) { counters.diskBytes.subtract(bytes, ordering: .relaxed) }

    /// The name of an object no longer leads to a file of so many bytes. They are free when nobody has that open.
    func vacate(_ id: ObjectID, _ bytes: Int) {
        if !opens.unname(id, bytes: bytes) { release(bytes) }
    }

    /// Counts by how much a folder has grown.
    func countGrowth(of part: Int) {
        if let folder { counters.diskBytes.add(folder.growth(of: part), ordering: .relaxed) }
    }

    /// Evicts until the cap holds: after it was set lower, or files were found that nobody knew of. Blocks.
    func trim() {
        while counters.diskBytes.load(ordering: .relaxed) > options.diskBytes, evictOne() {}
    }

    private func evictOne() -> Bool {
        guard let (id, bytes) = index.evict() else { return false }
        counters.evictions.count()
        return withName(id) {
            files.remove(id)
            // Stored anew in the meantime: its name leads to another file now.
            guard !index.contains(id) else {
                release(bytes)
                return true
            }
            let code = folder?.remove(id) ?? 0
            // What cannot be removed takes its room on, and others would fare no better.
            if code != 0, code != ENOENT {
                failed(SystemFailure("unlinkat", code: code))
                return false
            }
            vacate(id, bytes)
            note(.removed, id)
            return true
        }
    }

    /// Writes the index's journal anew: it has become too long, or could not be written. Blocks.
    ///
    /// - Returns: False when it is not what it should be.
    @discardableResult func compactJournal(evicting: Bool = true) -> Bool {
        guard let journal else { return true }
        guard journal.beginCompaction() else { return journal.isSound }
        // Room for both, for as long as there are two.
        let extra = index.count * IndexJournal.recordLength
        let isReserved = reserve(extra, evicting: evicting)
        let outcome = journal.compact(isReserved ? index : nil)
        release((isReserved ? extra : 0) - outcome.growth)
        if let failure = outcome.failure { failed(failure) }
        return journal.isSound
    }

    // MARK: Mending

    /// What could not be written into a journal is tried again in a second, until it can be.
    func mendSoon() {
        guard !isMending.exchange(true, ordering: .relaxed) else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(1)) { [weak self] in
            guard let self else { return }
            threads.submit(TaskJob { [self] in mend() })
        }
    }

    private func mend() {
        isMending.store(false, ordering: .relaxed)
        let isIndexSound = journal?.isSound != false || compactJournal()
        if isIndexSound && mendPurges() { return }
        mendSoon()
    }

    /// Writes down the purges that could not be. False when that fails again.
    func mendPurges() -> Bool {
        guard !purges.isSound else { return true }
        let outcome = purges.rewrite()
        counters.diskBytes.add(outcome.growth, ordering: .relaxed)
        if outcome.failure == nil { health.report("all purges are written down now, and survive a restart") }
        return outcome.failure == nil
    }
}
