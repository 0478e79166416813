// SPDX-License-Identifier: Apache-2.0
// A fill's way to the disk: a temporary file with room for the head, the body as it comes, then the footer and the head, and
// the name. One job at a time works on it.

import Bytes
import Engine
import Glibc
import Synchronization

/// What the job that writes knows. Belongs to that job.
///
/// `@unchecked Sendable` is safe because a fill has at most one such job at a time (`FillState.isWriting`), and its lock
/// lies between two of them.
final class FillDisk: @unchecked Sendable {
    var file: SharedFile?
    var name = ""
    var bodyOffset = 0
    /// Holds the bytes that are reserved for the file, until the index counts them.
    let open = OpenFile()
    /// The only object that it may take the place of; nil when that is any.
    var replaced: StoredVersion?
}

/// Writes what can be written of a fill.
final class FillWriting: DiskJob, @unchecked Sendable {
    private let fill: Fill
    init(_ fill: Fill) { self.fill = fill }
    override func run() { fill.write() }
}

extension Fill {
    private enum Turn {
        case nothing
        case write([(chunk: FillChunk, count: Int)], ObjectDescription)
        case finish(ObjectDescription, sums: [UInt64], length: Int, chunks: [FillChunk])
        case drop
    }

    /// Writes until nothing is left to write. On a disk thread.
    func write() {
        while true {
            let turn = state.withLock { state -> Turn in
                guard state.phase == .open || state.phase == .complete, !state.isDiskLost else { return .drop }
                guard let description = state.description else {
                    state.isWriting = false
                    return .nothing
                }
                let batch = store.folder == nil ? [] : state.unwritten(limit: 16)
                if !batch.isEmpty { return .write(batch, description) }
                guard state.phase == .complete else {
                    state.isWriting = false
                    return .nothing
                }
                let chunks = state.firstChunk == 0 ? Array(state.chunks) : []
                return .finish(description, sums: state.sums, length: state.received, chunks: chunks)
            }
            switch turn {
            case .nothing: return
            case .write(let batch, let description):
                guard write(batch, description) else { return abandonFile() }
            case .finish(let description, let sums, let length, let chunks):
                guard finish(description, sums, length, chunks) else { return abandonFile() }
                state.withLock { $0.isWriting = false }
                store.fills.remove(self)
                return
            case .drop: return abandonFile()
            }
        }
    }

    private func write(_ batch: [(chunk: FillChunk, count: Int)], _ description: ObjectDescription) -> Bool {
        guard let file = open(description) else { return false }
        let start = state.withLock { $0.written }
        var position = start
        var sums: [UInt64] = []
        guard reserve(upTo: start + batch.reduce(0) { $0 + $1.count }, description) else { return false }
        for (chunk, count) in batch {
            let bytes = chunk.bytes(0..<count)
            sums.append(StoredFooter.sum(bytes, number: position / StoredFooter.chunk))
            guard isDone("write", FileCalls.write(file.number, bytes, at: disk.bodyOffset + position)) else {
                return false
            }
            position += count
        }
        wrote(position - start, sums, file, bodyOffset: disk.bodyOffset)
        return true
    }

    /// The temporary file, made when it is first needed.
    func open(_ description: ObjectDescription) -> SharedFile? {
        if let file = disk.file { return file }
        guard let folder = store.folder else { return nil }
        disk.bodyOffset = StoredHead.length(key: key, description)
        guard reserve(upTo: description.bodyLength ?? 0, description) else { return nil }
        switch folder.makeTemporary() {
        case .failure(let failure):
            store.release(disk.open.bytes.exchange(0, ordering: .relaxed))
            store.failedToStore(failure)
            return nil
        case .success(let (number, name)):
            let file = SharedFile(adopting: number, threads: store.threads) { [store, id, open = disk.open] in
                store.release(store.opens.close(open, id))
            }
            store.counters.diskBytes.add(folder.growthOfTemporaries(), ordering: .relaxed)
            disk.file = file
            disk.name = name
            return file
        }
    }

    /// Reserves what the file takes with a body of that length. In larger steps when the length is not known.
    func reserve(upTo length: Int, _ description: ObjectDescription) -> Bool {
        let whole = disk.bodyOffset + length + StoredFooter.length(length)
        let needed = Int(ObjectStore.units(length: whole)) * CacheIndex.unit + ObjectStore.folderBytes
        let held = disk.open.bytes.load(ordering: .relaxed)
        guard needed > held else { return true }
        let step = description.bodyLength == nil && length > 0 ? needed - held + (256 << 10) : needed - held
        guard store.reserve(step) else { return false }
        disk.open.bytes.add(step, ordering: .relaxed)
        return true
    }

    /// Whether a call succeeded; a failure is counted and told of.
    func isDone(_ call: StaticString, _ code: Int32) -> Bool {
        if code != 0 { store.failedToStore(SystemFailure(call, code: code)) }
        return code == 0
    }

    private func finish(
        _ description: ObjectDescription, _ sums: [UInt64], _ length: Int, _ chunks: [FillChunk]
    ) -> Bool {
        func copyBody(_ memory: UnsafeMutableRawBufferPointer) {
            for (number, chunk) in chunks.enumerated() {
                let start = number * StoredFooter.chunk
                unsafe memory.put(chunk.bytes(0..<min(StoredFooter.chunk, length - start)), at: start)
            }
        }
        guard !isInvalid, !store.purges.isPurged(description, since: generation) else { return false }
        if store.folder == nil { return unsafe keep(description, length, copyBody) }
        guard let file = open(description), reserve(upTo: length, description) else { return false }
        let isSmall =
            disk.bodyOffset + length + StoredFooter.length(length) <= store.options.memoryObjectBytes
            && chunks.count == StoredFooter.chunks(length)
        return unsafe seal(file, description, sums, length, isSmall: isSmall, copyBody)
    }

    /// The head, and with `isSmall` the body that `copyBody` copies, in one piece of memory.
    private func image(
        _ description: ObjectDescription, _ length: Int, isSmall: Bool,
        _ copyBody: (UnsafeMutableRawBufferPointer) -> Void
    ) -> CachedBody {
        unsafe CachedBody(count: disk.bodyOffset + (isSmall ? length : 0)) { memory in
            unsafe StoredHead.write(
                id, key: key, description, bodyLength: length,
                storedAt: UInt64(max(0, ObjectStore.clock(CLOCK_REALTIME).tv_sec)), generation: generation,
                length: disk.bodyOffset, into: memory)
            if isSmall { unsafe copyBody(UnsafeMutableRawBufferPointer(rebasing: memory[disk.bodyOffset...])) }
        }
    }

    /// Stores the object where all is in memory. False when that has no room for it.
    func keep(
        _ description: ObjectDescription, _ length: Int, _ copyBody: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Bool {
        disk.bodyOffset = StoredHead.length(key: key, description)
        let image = unsafe image(description, length, isSmall: true, copyBody)
        guard let head = StoredHead(reading: image) else { return false }
        let isKept = store.withName(id) {
            guard mayReplace() else { return false }
            insert(head, image, length)
            return store.objects.contains(id)
        }
        guard isKept else { return false }
        store.counters.stores.count()
        store.counters.objects.store(store.objects.count, ordering: .relaxed)
        return true
    }

    private func insert(_ head: StoredHead, _ image: CachedBody, _ length: Int) {
        let body = CachedBody(disk.bodyOffset..<disk.bodyOffset + length, of: image)
        let object = CachedObject(head: head, body: body, bytes: image.count)
        store.objects.insert(id, .object(object), cost: object.cost)
    }

    /// Writes the head and the footer, gives the file its name, and keeps a small object in memory, whose body `copyBody`
    /// copies.
    func seal(
        _ file: SharedFile, _ description: ObjectDescription, _ sums: [UInt64], _ length: Int, isSmall: Bool,
        _ copyBody: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Bool {
        let image = unsafe image(description, length, isSmall: isSmall, copyBody)
        guard let head = StoredHead(reading: image) else { return false }
        let footer = StoredFooter.make(sums, head: head.checksum)
        guard isDone("write", FileCalls.write(file.number, head.bytes, at: 0)),
            isDone("write", FileCalls.write(file.number, footer.bytes, at: disk.bodyOffset + length))
        else { return false }
        if store.options.syncsFiles, fdatasync(file.number) != 0 { return isDone("fdatasync", errno) }
        guard let status = FileCalls.status(file.number) else { return isDone("fstat", errno) }
        return publish(head, ObjectStore.units(status)) { if isSmall { insert(head, image, length) } }
    }

    /// Whether the object of that name may be replaced. While nobody else can (`withName`).
    private func mayReplace() -> Bool { !isInvalid && disk.replaced.map { $0 == store.version(id) } ?? true }

    /// Gives the file its name; from then on its bytes are the index's. `keep` keeps it in memory, before anybody can remove it.
    private func publish(_ head: StoredHead, _ units: UInt32, keep: () -> Void) -> Bool {
        let taken = Int(units) * CacheIndex.unit
        let missing = taken + ObjectStore.folderBytes - disk.open.bytes.load(ordering: .relaxed)
        if missing > 0 {
            guard store.reserve(missing) else { return false }
            disk.open.bytes.add(missing, ordering: .relaxed)
        }
        let isPublished = store.withName(id) {
            guard mayReplace() else { return false }
            guard isDone("renameat", store.folder?.publish(disk.name, as: id) ?? EBADF) else { return false }
            store.note(.small, id, head.record, units: units)
            store.objects.remove(id)
            store.files.remove(id)
            if let old = store.index.insert(id, head.record, units: units) { store.vacate(id, old) }
            let held = disk.open.bytes.exchange(0, ordering: .relaxed)
            store.opens.name(disk.open, id)
            store.countGrowth(of: id.part)
            store.release(held - taken)
            keep()
            return true
        }
        guard isPublished else { return false }
        disk.name = ""
        store.counters.stores.count()
        store.health.worked(now: ObjectStore.monotonicMilliseconds())
        // Readers may still need the descriptor; the fill's state holds it for them.
        disk.file = nil
        return true
    }

    /// The file is not to be: its name goes now, its room when the last reader has closed it.
    func abandonFile() {
        if !disk.name.isEmpty { store.folder?.removeTemporary(disk.name) }
        disk.name = ""
        disk.file = nil
        loseDisk()
    }
}
