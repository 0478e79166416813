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

    /// As `openBlocking`, without counting.
    func find(_ id: ObjectID, key: CachedBody) -> Opening {
        guard let number = folder.open(id) else {
            // Somebody removed it, or it never was.
            if index.contains(id) { remove(id) }
            return .miss
        }
        let file = SharedFile(adopting: number, threads: threads)
        guard let status = FileCalls.status(number), let opened = check(file, status, id) else {
            counters.corrupt.count()
            remove(id) { isSame(id, number) }
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
            remove(id) { isSame(id, number) }
            return .miss
        }
        if !index.contains(id) { adopt(id, head.record, status) }
        switch opened {
        case .miss: break
        case .object(let object):
            objects.insert(id, .object(object), cost: object.cost)
        case .file(let file): files.insert(id, .file(file), cost: 1)
        }
        return opened
    }

    /// Whether the name still leads to that file.
    private func isSame(_ id: ObjectID, _ number: Int32) -> Bool {
        let part = folder.part(id.part, making: false)
        guard part >= 0, let named = FileCalls.status(ObjectName.of(id), in: part),
            let opened = FileCalls.status(number)
        else { return true }
        return named.st_ino == opened.st_ino
    }

    /// Reads and checks the head, and a small file whole; nil when anything is not as it was written.
    private func check(_ file: SharedFile, _ status: stat, _ id: ObjectID) -> Opening? {
        guard FileCalls.isRegular(status), status.st_size >= StoredHead.fixedLength, status.st_size < 1 << 48 else {
            return nil
        }
        let size = Int(status.st_size)
        if size <= options.memoryObjectBytes {
            guard let image = FileCalls.bytes(file.number, at: 0, count: size), let head = StoredHead(reading: image),
                head.id == id, let sums = StoredFooter.read(image, at: head.length + head.bodyLength, head: head)
            else { return nil }
            let body = CachedBody(head.length..<head.length + head.bodyLength, of: image)
            for (number, sum) in sums.enumerated() {
                let start = number * StoredFooter.chunk
                let chunk = body.bytes.extracting(start..<min(start + StoredFooter.chunk, body.count))
                guard StoredFooter.sum(chunk, number: number) == sum else { return nil }
            }
            return .object(CachedObject(head: head, body: body, cost: size))
        }
        guard let start = FileCalls.bytes(file.number, at: 0, count: StoredHead.fixedLength),
            let length = StoredHead.length(in: start), length <= size,
            let image = FileCalls.bytes(file.number, at: 0, count: length), let head = StoredHead(reading: image),
            head.id == id, size == head.length + head.bodyLength + StoredFooter.length(head.bodyLength)
        else { return nil }
        let offset = head.length + head.bodyLength
        guard let footer = FileCalls.bytes(file.number, at: offset, count: size - offset),
            let sums = StoredFooter.read(footer, at: 0, head: head)
        else { return nil }
        return .file(StoredFile(head: head, file: file, sums: sums, status: status, store: self))
    }

    /// Takes a file into the index that an earlier process stored without being able to say so.
    func adopt(_ id: ObjectID, _ record: CacheRecord, _ status: stat) {
        let units = Self.units(status)
        withName(id) {
            guard !index.contains(id) else { return }
            counters.diskBytes.add(Int(units) * CacheIndex.unit + Self.nameBytes, ordering: .relaxed)
            note(.small, id, record, units: units)
            if let old = index.insert(id, record, units: units) { release(old + Self.nameBytes) }
        }
        trim()
    }
}
