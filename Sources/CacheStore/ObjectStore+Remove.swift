// SPDX-License-Identifier: Apache-2.0
// Removing what is stored: one object, or all that is stored for a URL. Disk threads do it, one job for all that have been named
// since the last, so nothing that clients do makes more work than there is stored.

import Bytes
import Engine
import Glibc
import Synchronization

extension ObjectStore {
    /// Objects that may wait to be forgotten. Beyond, they stay, and are looked at again when they are asked for.
    static let forgettingLimit = 65_536

    /// What is stored for a URL is valid no more, and what is being downloaded for it is not stored: it counts at once, and is
    /// removed by a disk thread, so nothing has to be remembered of it. What is downloaded from now on is not meant.
    ///
    /// - Parameters:
    ///   - key: The hash of the primary key; all its variants are meant.
    ///   - url: The scope that all of them have.
    ///   - host: The scope of the host that gives way when too much waits to be removed.
    public func invalidate(_ key: CacheHash, url: CacheScope, in host: CacheScope) {
        let due = purges.invalidate(url, key: key, in: host, now: Self.wallMicroseconds())
        fills.invalidate(key)
        if due.removes { submitRemoval() }
        if due.writes { submitPurges() }
    }

    /// Whether something is being downloaded for the key, or was a moment ago.
    public func isFilling(_ key: CacheHash) -> Bool { fills.contains(key: key) }

    /// Has a disk thread remove the object.
    public func forget(_ id: ObjectID) {
        objects.remove(id)
        files.remove(id)
        let isDue = forgotten.withLock { forgotten in
            guard forgotten.ids.count < Self.forgettingLimit else {
                counters.refusals.count()
                return false
            }
            forgotten.ids.insert(id)
            defer { forgotten.isRemoving = true }
            return !forgotten.isRemoving
        }
        if isDue {
            threads.submit(
                TaskJob { [self] in
                    while true {
                        let ids = forgotten.withLock { forgotten in
                            forgotten.isRemoving = !forgotten.ids.isEmpty
                            defer { forgotten.ids = [] }
                            return forgotten.ids
                        }
                        if ids.isEmpty { return }
                        for id in ids { remove(id) }
                    }
                })
        }
    }

    private func submitRemoval() {
        threads.submit(
            TaskJob { [self] in
                let invalid = purges.takeInvalid()
                removeInvalid(invalid)
                if purges.removedInvalid(invalid) { submitRemoval() }
            })
    }

    /// Removes what is stored for these URLs. What cannot be removed is purged instead, for as long as there are purges. Blocks.
    private func removeInvalid(_ invalid: [(url: CacheScope, entry: InvalidationTable.Entry)]) {
        let byKey = Dictionary(invalid.map { ($0.entry.key, $0) }) { $1 }
        let keys = Set(byKey.keys)
        var failed: Set<CacheHash> = []
        for id in stored(of: keys) {
            guard let entry = byKey[id.key]?.entry else { continue }
            if !remove(id, ifStill: { isOlder(id, than: entry.generation) }) { failed.insert(id.key) }
        }
        for (url, entry) in failed.compactMap({ byKey[$0] }) { purge(url, in: entry.host) }
    }

    /// All that is stored of these keys: in memory, in the index, and, while that is not complete, in the folders.
    private func stored(of keys: Set<CacheHash>) -> Set<ObjectID> {
        var found = objects.ids(of: keys)
        guard let folder else { return found }
        let isComplete = isIndexComplete.load(ordering: .acquiring)
        for part in Set(keys.map { ObjectID(key: $0).part }) {
            for id in index.ids(part: part) where keys.contains(id.key) { found.insert(id) }
            guard !isComplete, case .success(let names) = folder.names(part: part) else { continue }
            for name in names ?? [] {
                if let id = ObjectName.read(name), keys.contains(id.key) { found.insert(id) }
            }
        }
        return found
    }

    /// Whether the object's download began before that generation. One that cannot be read counts as old.
    private func isOlder(_ id: ObjectID, than generation: UInt64) -> Bool {
        if case .object(let object)? = objects.look(id), object.head.generation >= generation { return false }
        guard let folder, case .success(let number) = folder.open(id) else { return true }
        defer { close(number) }
        guard let start = FileCalls.bytes(number, at: 0, count: StoredHead.fixedLength) else { return true }
        return StoredHead.generation(in: start) < generation
    }

    /// Removes the object's file and all that is known of it. Blocks. False when it cannot be removed.
    @discardableResult func remove(_ id: ObjectID, ifStill isStill: () -> Bool = { true }) -> Bool {
        withName(id) {
            guard isStill() else { return true }
            objects.remove(id)
            files.remove(id)
            guard let folder else {
                counters.objects.store(objects.count, ordering: .relaxed)
                return true
            }
            let code = folder.remove(id)
            let bytes = index.remove(id)
            // A file that cannot be removed takes its room on.
            if code != 0, code != ENOENT {
                failed(SystemFailure("unlinkat", code: code))
                return false
            }
            if let bytes { vacate(id, bytes) }
            if code == 0 || bytes != nil { note(.removed, id) }
            return true
        }
    }
}

/// Objects that wait to be forgotten.
struct ForgottenObjects {
    var ids: Set<ObjectID> = []
    /// Whether a job that removes them is queued, or runs.
    var isRemoving = false
}
