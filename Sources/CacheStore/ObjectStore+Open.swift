// SPDX-License-Identifier: Apache-2.0
// Opening an object on a disk thread: whatever is not exactly as it was written is a miss, and the file is removed.

import Bytes
import Engine
import Glibc
import Synchronization

/// Opens one object and tells its reader.
final class OpenJob: DiskJob, @unchecked Sendable {
    private let store: ObjectStore
    private let id: ObjectID
    private let key: CachedBody
    private let reader: CacheReader

    init(_ store: ObjectStore, _ id: ObjectID, _ key: CachedBody, _ reader: CacheReader) {
        self.store = store
        self.id = id
        self.key = key
        self.reader = reader
    }

    override func run() {
        let opening = store.openBlocking(id, key: key)
        reader.loop.submit { [reader] in reader.opened(opening) }
    }
}

extension ObjectStore {
    /// Opens an object. Blocks.
    func openBlocking(_ id: ObjectID, key: CachedBody) -> Opening {
        let opening = find(id, key: key)
        if case .miss = opening { counters.misses.count() } else { counters.diskHits.count() }
        return opening
    }

    /// As `openBlocking`, without counting. `isAgain`: the name led to another file when the first had been read.
    func find(_ id: ObjectID, key: CachedBody, isAgain: Bool = false) -> Opening {
        guard let folder else { return resident(id, key: key) }
        let open = opens.open(id)
        let number: Int32
        switch folder.open(id) {
        case .success(let opened): number = opened
        case .failure(let failure):
            release(opens.close(open, id))
            cannotOpen(id, failure)
            return .miss
        }
        let file = SharedFile(adopting: number, threads: threads) { [self] in release(opens.close(open, id)) }
        guard let status = FileCalls.status(number) else {
            failed(SystemFailure("fstat"))
            return .miss
        }
        let checked: Opening?
        do throws(SystemFailure) {
            checked = try check(file, status, id)
        } catch {
            failed(error)
            return .miss
        }
        guard let opened = checked else {
            counters.corrupt.count()
            remove(id) { isMissing(id, orIs: status.st_ino) }
            return .miss
        }
        let head: StoredHead
        switch opened {
        case .miss: return .miss
        case .object(let object): head = object.head
        case .file(let file): head = file.head
        }
        // Two keys with one hash: the object is another's, and sound.
        guard head.hasKey(key.bytes) else { return .miss }
        if purges.isPurged(head) {
            remove(id) { isMissing(id, orIs: status.st_ino) }
            return .miss
        }
        // What is removed because it is invalid is so first, and forgotten to be so then.
        guard leads(id, to: status.st_ino) else { return isAgain ? .miss : find(id, key: key, isAgain: true) }
        if !index.contains(id) { adopt(id, head.record, status) }
        keep(opened, id, status.st_ino)
        return opened
    }

    /// Keeps what was opened in memory, or open, unless its name has been removed meanwhile, or leads elsewhere.
    private func keep(_ opened: Opening, _ id: ObjectID, _ inode: ino_t) {
        switch opened {
        case .miss: return
        case .object(let object):
            if case .object(let known)? = objects.look(id), known.head.version == object.head.version { return }
        case .file(let file):
            if case .file(let known)? = files.look(id), known.head.version == file.head.version { return }
        }
        withName(id) {
            guard leads(id, to: inode) else { return }
            switch opened {
            case .miss: break
            case .object(let object): objects.insert(id, .object(object), cost: object.cost)
            case .file(let file): files.insert(id, .file(file), cost: 1)
            }
        }
    }

    /// The version of the object that has that name now; nil when there is none. Blocks.
    func version(_ id: ObjectID) -> StoredVersion? {
        guard let folder else {
            guard case .object(let object)? = objects.look(id) else { return nil }
            return object.head.version
        }
        guard case .success(let number) = folder.open(id) else { return nil }
        defer { close(number) }
        return FileCalls.bytes(number, at: 0, count: StoredHead.fixedLength).flatMap { StoredVersion(start: $0) }
    }

    /// The object where everything is in memory.
    private func resident(_ id: ObjectID, key: CachedBody) -> Opening {
        guard case .object(let object)? = objects.look(id), object.head.hasKey(key.bytes),
            !purges.isPurged(object.head),
            // What is removed because it is invalid is so first, and forgotten to be so then.
            case .object(let still)? = objects.look(id), still === object
        else { return .miss }
        return .object(object)
    }

    /// Only what is not there is forgotten: a process without descriptors, memory or rights knows nothing of the file.
    func cannotOpen(_ id: ObjectID, _ failure: SystemFailure) {
        switch failure.code {
        case ENOENT:
            // Somebody removed it, or it never was.
            if index.contains(id) { remove(id) { isMissing(id) } }
        case ELOOP, ENXIO:
            // A link, or something else that is no file of ours: its name is not for it to have.
            counters.corrupt.count()
            remove(id)
        default: failed(failure)
        }
    }

    /// Reads and checks the head, and a small file whole; nil when anything is not as it was written.
    ///
    /// - Throws: what says nothing of the file.
    private func check(_ file: SharedFile, _ status: stat, _ id: ObjectID) throws(SystemFailure) -> Opening? {
        guard FileCalls.isRegular(status), status.st_size >= StoredHead.fixedLength, status.st_size < 1 << 48 else {
            return nil
        }
        let size = Int(status.st_size)
        if size <= options.memoryObjectBytes {
            guard let image = try FileCalls.readableBytes(file.number, at: 0, count: size),
                let head = StoredHead(reading: image),
                head.id == id, let sums = StoredFooter.read(image, at: head.length + head.bodyLength, head: head)
            else { return nil }
            let body = CachedBody(head.length..<head.length + head.bodyLength, of: image)
            for (number, sum) in sums.enumerated() {
                let start = number * StoredFooter.chunk
                let chunk = body.bytes.extracting(start..<min(start + StoredFooter.chunk, body.count))
                guard StoredFooter.sum(chunk, number: number) == sum else { return nil }
            }
            return .object(CachedObject(head: head, body: body, bytes: size))
        }
        guard let start = try FileCalls.readableBytes(file.number, at: 0, count: StoredHead.fixedLength),
            let length = StoredHead.length(in: start), length <= size,
            let image = try FileCalls.readableBytes(file.number, at: 0, count: length),
            let head = StoredHead(reading: image),
            head.id == id, size == head.length + head.bodyLength + StoredFooter.length(head.bodyLength)
        else { return nil }
        let offset = head.length + head.bodyLength
        guard let footer = try FileCalls.readableBytes(file.number, at: offset, count: size - offset),
            let sums = StoredFooter.read(footer, at: 0, head: head)
        else { return nil }
        return .file(StoredFile(head: head, file: file, sums: sums, status: status, store: self))
    }

    /// Takes a file into the index that an earlier process stored without being able to say so.
    func adopt(_ id: ObjectID, _ record: CacheRecord, _ status: stat) {
        let units = Self.units(status)
        withName(id) {
            guard !index.contains(id) else { return }
            counters.diskBytes.add(Int(units) * CacheIndex.unit, ordering: .relaxed)
            note(.small, id, record, units: units)
            if let old = index.insert(id, record, units: units) { release(old) }
        }
        trim()
    }
}
