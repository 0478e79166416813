// SPDX-License-Identifier: Apache-2.0
// Starting and stopping. A start reads the journal on a disk thread, then goes through the folders one by one: files that
// the journal does not know are taken in or removed, and what it knows but is not there is forgotten. Lookups are answered
// all the while: what the index does not know yet is asked of the disk, since a file's name follows from its key.

import Bytes
public import Engine
import Glibc
import Synchronization

/// How far the start has come.
struct StartState {
    /// Whether the journal has been read, so that the bytes on disk are known.
    var isReplayed = false
    /// Jobs that need to know them.
    var waiting: [DiskJob] = []
}

extension ObjectStore {
    func begin() {
        guard let folder, let journal else {
            start.withLock { $0.isReplayed = true }
            isIndexComplete.store(true, ordering: .releasing)
            return
        }
        let own = journal.length + folder.growthOfTemporaries()
        counters.diskBytes.add(Self.fixedBytes + own, ordering: .relaxed)
        count(purges.rewrite())
        threads.submit(TaskJob { [self] in replay(folder, journal) })
    }

    /// Runs `job` when the bytes on disk are known, which is at once but for the first moments. False when too many wait already,
    /// and after the end.
    func submitWriting(_ job: DiskJob) -> Bool {
        enum Turn { case now, later, never }
        let turn = start.withLock { state -> Turn in
            if state.isReplayed { return .now }
            guard state.waiting.count < options.queueLimit else { return .never }
            state.waiting.append(job)
            return .later
        }
        let isTaken = turn == .later || turn == .now && threads.offer(job, .writing)
        if !isTaken { counters.refusals.count() }
        return isTaken
    }

    private func replay(_ folder: CacheFolder, _ journal: IndexJournal) {
        journal.replay { kind, id, record, units in
            let bytes = Int(units) * CacheIndex.unit
            switch kind {
            case .small, .main:
                let old = index.insert(id, record, units: units, .old(isMain: kind == .main))
                counters.diskBytes.add(bytes - (old ?? 0), ordering: .relaxed)
            case .removed:
                if let old = index.remove(id) { release(old) }
            }
        }
        counters.objects.store(index.count, ordering: .relaxed)
        for part in 0..<256 {
            folder.prepare(part: part)
            countGrowth(of: part)
        }
        if journal.takeBloated(live: index.count) || !journal.isSound, !compactJournal() { mendSoon() }
        let waiting = start.withLock { state in
            state.isReplayed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for job in waiting { threads.submit(job) }
        // When the cap was lowered this takes long, and those who store meanwhile help with it.
        trim()
        walk(folder, part: 0)
    }

    /// One folder a job, so that others have their turn between.
    private func walk(_ folder: CacheFolder, part: Int) {
        guard part < 256 else {
            isIndexComplete.store(true, ordering: .releasing)
            return
        }
        visit(folder, part)
        threads.submit(TaskJob { [self] in walk(folder, part: part + 1) })
    }

    private func visit(_ folder: CacheFolder, _ part: Int) {
        var found: Set<ObjectID> = []
        switch folder.names(part: part) {
        case .success(let listed):
            // What cannot be listed is not known to be missing.
            guard let names = listed else { return failed(SystemFailure("readdir")) }
            for name in names {
                guard let id = ObjectName.read(name), id.part == part, !threads.isStopping else { continue }
                found.insert(id)
                if !index.contains(id) { takeIn(folder, id) }
            }
        case .failure(let failure):
            guard failure.code == ENOENT else { return failed(failure) }
        }
        for id in index.ids(part: part) where !found.contains(id) && !threads.isStopping {
            // The folder, and the file in it, may have been made since.
            remove(id) { isMissing(id) }
        }
    }

    private func takeIn(_ folder: CacheFolder, _ id: ObjectID) {
        let number: Int32
        switch folder.open(id) {
        case .success(let opened): number = opened
        case .failure(let failure): return cannotOpen(id, failure)
        }
        defer { close(number) }
        let start = FileCalls.bytes(number, at: 0, count: StoredHead.fixedLength)
        let image = start.flatMap { StoredHead.length(in: $0) }.flatMap { FileCalls.bytes(number, at: 0, count: $0) }
        guard let status = FileCalls.status(number), let head = image.flatMap({ StoredHead(reading: $0) }),
            head.id == id
        else {
            counters.corrupt.count()
            remove(id) { !index.contains(id) }
            return
        }
        adopt(id, head.record, status)
    }

    /// Somebody may have removed the folder, or what is in it: it is made anew, and what it does not hold is forgotten. Blocks.
    func restoreFolder() {
        guard let folder, folder.restore() else { return }
        health.report("it was removed, and has been made anew")
        count(purges.rewrite())
        compactJournal()
        threads.submit(TaskJob { [self] in walk(folder, part: 0) })
    }

    /// Has what is being written written, and ends the threads. Readers must have gone before. Blocks.
    public func stop() {
        guard threads.stop() else { return }
        objects.removeAll()
        files.removeAll()
        // After the orderly end the next start reads no more than it must, where there is room for a second journal.
        if start.withLock({ $0.isReplayed }) { compactJournal(evicting: false) }
        // Those that came while the last job wrote.
        writePurges()
        _ = mendPurges()
        folder?.unlock()
    }

    // MARK: Purging

    /// Purges a scope, or everything. It counts at once; `done`, if any, is told on that loop whether it was written down
    /// and survives a restart. Takes constant time: what is purged is removed when it is asked for, or evicted. `host`: the one that
    /// the scope is a part of, which gives way when there are too many.
    public func purge(
        _ scope: CacheScope?, in host: CacheScope? = nil,
        then done: (loop: Loop, body: @Sendable (Bool) -> Void)? = nil
    ) {
        if purges.purge(scope, in: host, now: Self.wallMicroseconds(), then: done) { submitPurges() }
    }

    /// Behind the other jobs, each time, so that purges never keep a thread from them.
    func submitPurges() {
        threads.submit(
            TaskJob { [self] in
                writePurges()
                if purges.endWriting() { submitPurges() }
            })
    }

    /// Writes down the purges so far, and tells who waits for that. Blocks.
    private func writePurges() {
        let (written, listeners) = purges.writePending()
        let isWritten = count(written)
        for listener in listeners { listener.loop.submit { listener.body(isWritten) } }
    }

    /// Counts what was written, or has it tried again; whether it was.
    @discardableResult private func count(_ written: PurgeJournal.Written) -> Bool {
        counters.diskBytes.add(written.growth, ordering: .relaxed)
        guard let failure = written.failure else { return true }
        failed(failure)
        health.report(
            "the list of purges cannot be written (\(failure)); that is tried every second, and a restart before it is done "
                + "purges everything")
        mendSoon()
        return false
    }
}
