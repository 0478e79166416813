// SPDX-License-Identifier: Apache-2.0
// The store of a cache. It knows objects by hashes and keys and nothing of what they mean: what may be stored, and what may be
// used again, is its caller's to say.
//
//     look ──▶ memory                    an object, or an open file, at once
//          ──▶ disk ── open ─▶ Opening   by a disk thread; told on the reader's loop
//          ──▶ miss ── join ─▶ Fill      led by the first, followed by the others, written by disk threads
//
// Locks are taken in this order: an object's name (disk threads only), the journal, the order of eviction, a part of the
// index. Loops take the last of them only, or that of a part of the memory tier, of a fill, of the table of fills (and then
// of a fill), or of the table of purges (last). The file of purges has a lock of its own (disk threads only).

import Bytes
import Engine
import Glibc
import Synchronization

/// How large a store may be, and where it is.
public struct StoreOptions: Sendable {
    /// The folder; nil for a store that is in memory only.
    public var path: String?
    /// Bytes on disk at most, counted in blocks.
    public var diskBytes: Int
    /// Bytes of hot objects in memory at most.
    public var memoryBytes = 64 << 20
    /// The largest object that is kept in memory, in bytes, its head included.
    public var memoryObjectBytes = 256 << 10
    /// The largest body that is stored, in bytes; a quarter of the disk's bytes unless set lower.
    public var largestBody = Int.max
    /// Large files that stay open.
    public var openFiles = 256
    /// Whether the 256 folders of objects stay open; without it they cost no descriptors, and each file a longer way.
    public var keepsFolders = true
    /// Disk threads.
    public var threads = 4
    /// How many of each may wait for a disk thread: openings (beyond, an object on disk is a miss), readings (beyond, the response
    /// is cut), and writings (beyond, a response is not stored).
    public var queueLimit = 1024
    /// Whether a file is forced to the disk before it gets its name. Off: one that a power cut tears is a miss.
    public var syncsFiles = false
    /// Bytes of a fill that may wait for the disk before its leader is asked to wait.
    public var fillBacklog = 1 << 20
    /// Milliseconds within which the writing of a fill must get on; beyond, the disk hangs, and the fill does without.
    public var writePatience = 10_000
    /// Bytes of a fill that stay in memory for those who read it.
    public var fillWindow = 1 << 20
    /// Milliseconds that a fill which is not stored waits for its slowest reader, in sum; then that one falls behind.
    public var readerPatience = 5_000
    /// Bytes of all fills in memory from which on they keep little, and new ones are not stored. Half of it makes them keep less.
    public var fillMemory = 256 << 20

    /// The defaults, for that folder and so many bytes; or without a folder.
    public init(path: String?, diskBytes: Int) {
        self.path = path
        self.diskBytes = diskBytes
    }
}

/// What a store knows of an object without waiting.
public enum CacheAnswer: Sendable {
    /// Nothing.
    case miss
    /// It is in memory.
    case object(CachedObject)
    /// It is large, and open.
    case file(StoredFile)
    /// It is on disk, with that record: `open` it.
    case onDisk(CacheRecord)
    /// The folder has not been gone through since the start: `open` tells.
    case unknown
}

/// The store.
public final class ObjectStore: Sendable {
    /// How it was set up.
    public let options: StoreOptions
    /// 16 random bytes that stay the same as long as what is stored. The caller makes hashes of keys with them, so that nobody
    /// outside can make two of them meet.
    public let secret: [UInt8]
    /// What it has done.
    public let counters = CacheCounters()
    /// Nil when all is in memory.
    let folder: CacheFolder?
    let threads: DiskThreads
    let index = CacheIndex()
    let journal: IndexJournal?
    let purges: PurgeJournal
    let objects: MemoryTier
    let files: MemoryTier
    let fills = FillTable()
    /// The largest body that is stored, in bytes.
    let largestBody: Int
    let opens = OpenFiles()
    let health: DiskHealth
    /// Whether the journals are to be written anew in a moment.
    let isMending = Atomic<Bool>(false)
    let start = Lock(StartState())
    let forgotten = Lock(ForgottenObjects())
    let fillMemory: FillMemory
    /// Whether the folder has been gone through, so that what the index does not know is not there.
    let isIndexComplete = Atomic<Bool>(false)
    /// One at a time changes the file of a name, and what the index and the journal say of it.
    private let names: InlineArray<64, NameLock>

    final class NameLock: Sendable {
        let lock = Lock(())
    }

    /// Opens the store; what it holds is read in the background. Blocks for a few system calls.
    ///
    /// - Parameter report: Told in a sentence when the folder fails, and when it works again; called from any thread.
    public init(
        _ options: StoreOptions, report: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(CacheFolderError) {
        self.options = options
        health = DiskHealth(path: options.path ?? "", tell: report)
        if let path = options.path {
            let opened = try CacheFolder(path: path, keepsParts: options.keepsFolders)
            folder = opened
            journal = IndexJournal(opened)
            largestBody = min(options.largestBody, options.diskBytes / 4)
        } else {
            folder = nil
            journal = nil
            // What is downloaded takes memory besides: no more than it does with a disk.
            largestBody = min(options.largestBody, options.fillWindow, options.memoryBytes / 8)
        }
        secret = folder?.secret ?? CacheFolder.newSecret()
        purges = PurgeJournal(folder, now: Self.wallMicroseconds())
        objects = MemoryTier(budget: options.memoryBytes)
        files = MemoryTier(budget: options.openFiles)
        fillMemory = FillMemory(limit: options.fillMemory)
        names = InlineArray { _ in NameLock() }
        threads = DiskThreads(count: max(1, options.threads), limit: options.queueLimit)
        begin()
    }

    // MARK: Looking up

    /// What is known of the object. Does not wait, and does not allocate.
    ///
    /// - Parameters:
    ///   - key: The primary key, compared with the one stored.
    ///   - now: Monotonic milliseconds, such as `Loop.milliseconds`.
    public func look(_ id: ObjectID, key: Span<UInt8>, now: UInt64) -> CacheAnswer {
        let record = index.look(id)
        if let resident = objects.look(id), case .object(let object) = resident {
            if purges.isPurged(object.head) {
                // The file is removed by who opens it, since another may have its name by then.
                objects.remove(id)
            } else if object.head.hasKey(key), isStill(object, id) {
                counters.memoryHits.count()
                return .object(object)
            }
        } else if record != nil, let resident = files.look(id), case .file(let file) = resident {
            if purges.isPurged(file.head) {
                files.remove(id)
            } else if file.isCurrent(now: now), file.head.hasKey(key), isStill(file, id) {
                counters.memoryHits.count()
                return .file(file)
            }
            files.remove(id)
        }
        if let record { return .onDisk(record) }
        if !isIndexComplete.load(ordering: .acquiring) { return .unknown }
        counters.misses.count()
        return .miss
    }

    /// Whether an object that was found, and then not found to be purged, is there still. What is removed because it is invalid is so
    /// first, and forgotten to be so then: who has found it before and asks afterwards would not know.
    private func isStill(_ object: CachedObject, _ id: ObjectID) -> Bool {
        guard purges.isNewer(than: object.head) else { return true }
        if case .object(let present)? = objects.look(id) { return present === object }
        return false
    }

    private func isStill(_ file: StoredFile, _ id: ObjectID) -> Bool {
        guard purges.isNewer(than: file.head) else { return true }
        if case .file(let present)? = files.look(id) { return present === file }
        return false
    }

    /// Has a disk thread open the object and tell `reader`, on its loop, what became of that. False, and a miss, when too many
    /// wait already.
    public func open(_ id: ObjectID, key: CachedBody, for reader: CacheReader) -> Bool {
        if threads.offer(OpenJob(self, id, key, reader), .opening) { return true }
        counters.refusals.count()
        counters.misses.count()
        return false
    }

    /// False when too many wait already: then the block is the caller's still.
    func read(_ chunk: FileChunk, of file: StoredFile?, into block: Block, for reader: CacheReader) -> Bool {
        if threads.offer(ReadJob(chunk, file, block, reader), .reading) { return true }
        counters.refusals.count()
        return false
    }

    // MARK: Names, on disk threads

    /// Runs `body` while nobody else changes the object's file.
    func withName<Result>(_ id: ObjectID, _ body: () -> sending Result) -> sending Result {
        names[Int(truncatingIfNeeded: id.key.low & 63)].lock.withLock { _ in body() }
    }

    /// Whether the object's name leads to nothing, or to that file. False when that cannot be told.
    func isMissing(_ id: ObjectID, orIs inode: ino_t? = nil) -> Bool {
        switch folder?.status(id) {
        case .success(let status): status.st_ino == inode
        case .failure(let failure): failure.code == ENOENT
        case nil: true
        }
    }

    /// Whether the object's name leads to that file.
    func leads(_ id: ObjectID, to inode: ino_t) -> Bool {
        guard case .success(let status)? = folder?.status(id) else { return false }
        return status.st_ino == inode
    }

    /// A file that was open turned out to be damaged: it is removed, unless another has its name now.
    func discardDamaged(_ file: StoredFile) {
        let id = file.head.id
        counters.corrupt.count()
        files.remove(id)
        // One that is refused is found again.
        _ = threads.offer(TaskJob { [self] in remove(id) { isMissing(id, orIs: file.inode) } }, .writing)
    }

    /// A system call on the folder failed: it is counted, and told of.
    func failed(_ failure: SystemFailure) {
        counters.diskErrors.count()
        health.failed(failure, now: Self.monotonicMilliseconds())
    }

    /// A file could not be made, or given its name.
    func failedToStore(_ failure: SystemFailure) {
        failed(failure)
        if failure.code == ENOENT { threads.submit(TaskJob { [self] in restoreFolder() }) }
    }

    /// Writes into the journal, and counts what it takes.
    func note(_ kind: IndexJournal.Kind, _ id: ObjectID, _ record: CacheRecord = CacheRecord(), units: UInt32 = 0) {
        guard let journal else { return }
        switch journal.append(kind, id, record, units: units) {
        case .written: counters.diskBytes.add(IndexJournal.recordLength, ordering: .relaxed)
        case .waits: break
        case .failed(let failure):
            failed(failure)
            mendSoon()
        }
        let count = index.count
        counters.objects.store(count, ordering: .relaxed)
        if journal.takeBloated(live: count) { threads.submit(TaskJob { [self] in compactJournal() }) }
    }

    // MARK: Clocks

    static func clock(_ id: clockid_t) -> timespec {
        var time = timespec()
        unsafe clock_gettime(id, &time)
        return time
    }
    static func wallMicroseconds() -> UInt64 {
        let time = clock(CLOCK_REALTIME)
        return UInt64(max(0, time.tv_sec)) &* 1_000_000 &+ UInt64(time.tv_nsec / 1000)
    }
    static func monotonicMilliseconds() -> UInt64 {
        let time = clock(CLOCK_MONOTONIC)
        return UInt64(max(0, time.tv_sec)) &* 1000 &+ UInt64(time.tv_nsec / 1_000_000)
    }
}

/// Something small for a disk thread. Not for what happens with every request.
final class TaskJob: DiskJob, @unchecked Sendable {
    private let task: @Sendable () -> Void
    init(_ task: @escaping @Sendable () -> Void) { self.task = task }
    override func run() { task() }
}

/// Reads one chunk.
///
/// `@unchecked Sendable` is safe because the block is the job's alone until it is handed to the reader, on its loop.
final class ReadJob: DiskJob, @unchecked Sendable {
    private let chunk: FileChunk
    private let file: StoredFile?
    private let block: Block
    private let reader: CacheReader
    private var outcome = ChunkOutcome.damaged

    init(_ chunk: FileChunk, _ file: StoredFile?, _ block: Block, _ reader: CacheReader) {
        self.chunk = chunk
        self.file = file
        self.block = block
        self.reader = reader
    }

    override func run() {
        outcome = chunk.readBlocking(into: block)
        file?.noteOutcome(outcome, chunk.number)
        reader.loop.submit { [self] in reader.chunkRead(outcome, block) }
    }
}
