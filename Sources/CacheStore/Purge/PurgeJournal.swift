// SPDX-License-Identifier: Apache-2.0
// Purges survive a restart: each is a record of 24 bytes (scope, generation, checksum) appended to the file `purges`, which is
// written anew at start, when it has become long, and after a failure. One job writes all that have come since the last, with
// one `fdatasync`, so nothing that clients do makes more work for the disk than it can do. A file that is missing or damaged purges everything:
// what was purged must not come back. So when a purge cannot be written down, the file is removed until it can be.

import Bytes
import Engine
import Glibc
import Synchronization

/// The purges, in memory and on disk.
final class PurgeJournal: Sendable {
    private static let recordLength = 24
    /// Purges that may wait to be appended. Beyond, the file is written anew from the table, which has its own limit.
    private static let pendingLimit = 1024
    /// Records after which the file is written anew.
    private let recordLimit: Int

    /// Who is told, on which loop, whether a purge was written down.
    typealias Listener = (loop: Loop, body: @Sendable (Bool) -> Void)

    private struct State {
        var table = PurgeTable()
        /// What is being removed. Not written down: what is removed does not come back.
        var invalid = InvalidationTable()
        /// Whether a job that removes is queued, or runs.
        var isRemoving = false
        /// What is in the table and not yet in the file, oldest first.
        var pending: [(scope: CacheScope?, generation: UInt64)] = []
        /// Whether more than that is.
        var isOverflown = false
        /// Who waits for it.
        var listeners: [Listener] = []
        /// Whether a job that writes is queued, or runs.
        var isWriting = false

        /// Applies a purge, to be written down. True when a job that does so is to be queued.
        mutating func note(_ scope: CacheScope?, in host: CacheScope?, _ generation: UInt64) -> Bool {
            let gaveWay = table.apply(scope, in: host, generation)
            if gaveWay || pending.count >= PurgeJournal.pendingLimit {
                isOverflown = true
            } else {
                pending.append((scope, generation))
            }
            defer { isWriting = true }
            return !isWriting
        }

        /// Whether something with these scopes was purged, or made invalid, since `generation`.
        func isPurged(_ generation: UInt64, scopes: Int, _ scope: (Int) -> CacheScope) -> Bool {
            if table.isPurged(generation, scopes: scopes, scope) { return true }
            if invalid.isEmpty { return false }
            for index in 0..<scopes where invalid.isInvalid(scope(index), since: generation) { return true }
            return false
        }

        /// What is to be written now, and who is to be told.
        mutating func take() -> (records: [(scope: CacheScope?, generation: UInt64)]?, listeners: [Listener]) {
            defer { (pending, isOverflown, listeners) = ([], false, []) }
            return (isOverflown ? nil : pending, listeners)
        }
    }
    /// Loops take this lock with every lookup: nobody holds it while a disk works. Taken last of all.
    private let state = Lock(State())

    /// What disk threads know of the file.
    struct File {
        fileprivate var number: Int32 = -1
        fileprivate var length = 0
        /// Whether every purge that was to be written is in the file.
        fileprivate var isSound = false
    }
    /// Held across system calls: on disk threads only.
    let file = Lock(File())
    /// Nil when the purges are in memory only, as what they purge.
    private let folder: CacheFolder?
    /// The latest generation, to be read without a lock.
    private let latestGeneration = Atomic<UInt64>(0)

    /// Reads the folder's purges; `rewrite` is to follow. Blocks.
    init(_ folder: CacheFolder?, now: UInt64, recordLimit: Int = 2 * PurgeTable.limit) {
        self.folder = folder
        self.recordLimit = recordLimit
        var table = PurgeTable()
        var isSound = false
        if case .success(let number)? = folder?.openOwn("purges", O_RDONLY) {
            isSound = Self.read(number, into: &table)
            close(number)
        }
        if !isSound, folder?.isFresh == false { _ = table.purge(nil, now: now) }
        latestGeneration.store(table.latest, ordering: .relaxed)
        let read = State(table: table)
        state.withLock { $0 = read }
    }

    deinit { file.withLock { if $0.number >= 0 { close($0.number) } } }

    /// The latest generation: what is downloaded from now on has it.
    var latest: UInt64 { latestGeneration.load(ordering: .acquiring) }

    /// Whether every purge that was to be written is on the disk, if there is one. May block.
    var isSound: Bool { folder == nil || file.withLock { $0.isSound } }

    /// What became of writing: by how many bytes the file has grown, and what failed.
    struct Written {
        var growth = 0
        var failure: SystemFailure?
    }

    /// Purges a scope, or everything, in memory. True when a job that calls `writePending` is to be queued: there is one at
    /// most, however many purges it writes down. `host`: the one that the scope is a part of.
    func purge(_ scope: CacheScope?, in host: CacheScope? = nil, now: UInt64, then done: Listener? = nil) -> Bool {
        state.withLock { state in
            let generation = state.table.begin(now: now)
            latestGeneration.store(generation, ordering: .releasing)
            if let done { state.listeners.append(done) }
            return state.note(scope, in: host, generation)
        }
    }

    // MARK: Invalidating

    /// What is stored for a URL counts as purged from now on, until it has been removed. Says which jobs are to be queued: there
    /// is one of each at most.
    func invalidate(
        _ url: CacheScope, key: CacheHash, in host: CacheScope, now: UInt64
    ) -> (removes: Bool, writes: Bool) {
        state.withLock { state in
            let generation = state.table.begin(now: now)
            latestGeneration.store(generation, ordering: .releasing)
            var writes = false
            for (host, generation) in state.invalid.insert(url, .init(key: key, host: host, generation: generation)) {
                if state.note(host, in: nil, generation) { writes = true }
            }
            defer { state.isRemoving = true }
            return (!state.isRemoving, writes)
        }
    }

    /// What is to be removed now.
    func takeInvalid() -> [(url: CacheScope, entry: InvalidationTable.Entry)] {
        state.withLock { $0.invalid.take() }
    }

    /// It has been removed. True when another job is to be queued for what has come in the meantime.
    func removedInvalid(_ removed: [(url: CacheScope, entry: InvalidationTable.Entry)]) -> Bool {
        state.withLock { state in
            for (url, entry) in removed { state.invalid.remove(url, entry.generation) }
            state.isRemoving = state.invalid.hasWaiting
            return state.isRemoving
        }
    }

    /// How many URLs are being removed.
    var invalidCount: Int { state.withLock { $0.invalid.count } }

    /// Writes down, for good, the purges that are not yet, with one `fdatasync`; who waits for that is to be told. Blocks. After a
    /// failure a restart purges everything, until `rewrite` succeeds.
    func writePending() -> (written: Written, listeners: [Listener]) {
        file.withLock { file in
            let (records, listeners) = state.withLock { $0.take() }
            guard folder != nil, records?.isEmpty != true else { return (Written(), listeners) }
            var image: [UInt8] = []
            for (scope, generation) in records ?? [] { image += Self.record(scope, generation) }
            if records != nil, file.isSound, file.number >= 0,
                file.length + image.count <= recordLimit * Self.recordLength,
                FileCalls.write(file.number, image.span, at: file.length) == 0, fdatasync(file.number) == 0
            {
                file.length += image.count
                return (Written(growth: image.count), listeners)
            }
            return (rewrite(&file), listeners)
        }
    }

    /// The job that wrote is over. True when another is to be queued for what has come in the meantime.
    func endWriting() -> Bool {
        state.withLock { state in
            state.isWriting = !state.pending.isEmpty || state.isOverflown
            return state.isWriting
        }
    }

    /// Writes all purges into a new file. Blocks.
    func rewrite() -> Written { file.withLock { rewrite(&$0) } }

    private func rewrite(_ file: inout File) -> Written {
        guard let folder else { return Written() }
        let before = file.length
        do throws(SystemFailure) {
            let table = state.withLock { $0.table }
            var image: [UInt8] = []
            for (scope, generation) in table.entries { image += Self.record(scope, generation) }
            let new = try Self.writeNew(image, in: folder)
            if file.number >= 0 { close(file.number) }
            file.number = new
            file.length = image.count
            file.isSound = true
            return Written(growth: file.length - before)
        } catch {
            // Not what is there, which lacks a purge.
            folder.removeOwn("purges")
            _ = folder.syncNames()
            if file.number >= 0 { close(file.number) }
            file.number = -1
            file.length = 0
            file.isSound = false
            return Written(growth: -before, failure: error)
        }
    }

    /// What failed once may be said to have succeeded the next time, so nothing is written into the old file again.
    private static func writeNew(_ image: [UInt8], in folder: CacheFolder) throws(SystemFailure) -> Int32 {
        let file = try folder.openOwn("purges.new", O_RDWR | O_CREAT | O_TRUNC).get()
        let code = FileCalls.write(file, image.span, at: 0)
        var failure = code == 0 ? nil : SystemFailure("write", code: code)
        if failure == nil, fdatasync(file) != 0 { failure = SystemFailure("fdatasync") }
        if failure == nil, !folder.replaceOwn("purges", by: "purges.new") { failure = SystemFailure("renameat") }
        if failure == nil, !folder.syncNames() { failure = SystemFailure("fsync") }
        guard let failure else { return file }
        close(file)
        folder.removeOwn("purges.new")
        throw failure
    }

    /// Whether there has been a purge, of anything, since an object with that head was fetched.
    func isNewer(than head: StoredHead) -> Bool { head.generation < latest }

    /// Whether an object with that head was purged.
    func isPurged(_ head: StoredHead) -> Bool {
        if head.generation >= latest { return false }
        return state.withLock { $0.isPurged(head.generation, scopes: head.scopeCount) { head.scope($0) } }
    }

    /// Whether an object so described, whose download began in `generation`, was purged since.
    func isPurged(_ description: ObjectDescription, since generation: UInt64) -> Bool {
        if generation >= latest { return false }
        let scopes = description.scopes
        return state.withLock { $0.isPurged(generation, scopes: scopes.count) { scopes[$0] } }
    }

    /// Whether a download that began in `generation` may have been purged since: with one of `scopes`, which its key says, or with
    /// a tag, since nobody knows yet which ones it has.
    func mayBePurged(_ scopes: [CacheScope], since generation: UInt64) -> Bool {
        if generation >= latest { return false }
        return state.withLock { state in
            state.table.latestTag > generation
                || state.isPurged(generation, scopes: scopes.count) { scopes[$0] }
        }
    }

    /// Scope 0 stands for everything; a hash that is 0 purges everything, too.
    private static func record(_ scope: CacheScope?, _ generation: UInt64) -> [UInt8] {
        var record = [UInt8](repeating: 0, count: recordLength)
        unsafe record.withUnsafeMutableBytes { memory in
            unsafe memory.put(scope?.hash ?? 0, at: 0)
            unsafe memory.put(generation, at: 8)
            unsafe memory.put(Checksum.of(UnsafeRawBufferPointer(rebasing: memory[..<16]), seed: 1), at: 16)
        }
        return record
    }

    /// Whether all records are as they were written; one cut off at the end was never acknowledged.
    private static func read(_ file: Int32, into table: inout PurgeTable) -> Bool {
        guard let size = FileCalls.status(file)?.st_size, size >= recordLength, size < 1 << 30,
            let image = FileCalls.bytes(file, at: 0, count: Int(size))
        else { return false }
        var offset = 0
        while offset + recordLength <= image.count {
            let body = image.bytes.extracting(offset..<offset + 16)
            guard Checksum.of(body, seed: 1) == image.number(at: offset + 16, as: UInt64.self) else { return false }
            let hash = image.number(at: offset, as: UInt64.self)
            let generation = image.number(at: offset + 8, as: UInt64.self)
            table.apply(hash == 0 ? nil : CacheScope(hash: hash), generation)
            offset += recordLength
        }
        return true
    }
}
