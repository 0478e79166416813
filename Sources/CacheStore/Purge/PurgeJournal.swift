// SPDX-License-Identifier: Apache-2.0
// Purges survive a restart: each is a record of 24 bytes (scope, generation, checksum) appended to the file `purges`, which is
// written anew at start, when it has become long, and after a failure. A file that is missing or damaged purges everything:
// what was purged must not come back. So when a purge cannot be written down, the file is removed until it can be.

import Engine
import Glibc
import Synchronization

/// The purges, in memory and on disk.
final class PurgeJournal: Sendable {
    private static let recordLength = 24
    /// Records after which the file is written anew.
    private let recordLimit: Int
    private struct State {
        var table = PurgeTable()
        var file: Int32 = -1
        var length = 0
        /// Whether every purge is in the file.
        var isSound = false
    }
    private let state = Mutex(State())
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

    deinit { state.withLock { if $0.file >= 0 { close($0.file) } } }

    /// The latest generation: what is downloaded from now on has it.
    var latest: UInt64 { latestGeneration.load(ordering: .acquiring) }

    /// Whether every purge is on the disk.
    var isSound: Bool { state.withLock { $0.isSound } }

    /// What became of writing: by how many bytes the file has grown, and what failed.
    struct Written {
        var growth = 0
        var failure: SystemFailure?
    }

    /// Purges a scope, or everything, in memory. What is to be given to `write`.
    func purge(_ scope: CacheScope?, now: UInt64) -> UInt64 {
        state.withLock { state in
            let generation = state.table.purge(scope, now: now)
            latestGeneration.store(generation, ordering: .releasing)
            return generation
        }
    }

    /// Writes a purge down, for good. Blocks. After a failure a restart purges everything, until `rewrite` succeeds.
    func write(_ scope: CacheScope?, _ generation: UInt64) -> Written {
        state.withLock { state in
            let record = Self.record(scope, generation)
            if state.isSound, state.file >= 0, state.length < recordLimit * Self.recordLength,
                FileCalls.write(state.file, record.span, at: state.length) == 0, fdatasync(state.file) == 0
            {
                state.length += record.count
                return Written(growth: record.count)
            }
            return rewrite(&state)
        }
    }

    /// Writes all purges into a new file. Blocks.
    func rewrite() -> Written { state.withLock { rewrite(&$0) } }

    private func rewrite(_ state: inout State) -> Written {
        guard let folder else {
            state.isSound = true
            return Written()
        }
        let before = state.length
        do throws(SystemFailure) {
            var image: [UInt8] = []
            for (scope, generation) in state.table.entries { image += Self.record(scope, generation) }
            let file = try Self.writeNew(image, in: folder)
            if state.file >= 0 { close(state.file) }
            state.file = file
            state.length = image.count
            state.isSound = true
            return Written(growth: state.length - before)
        } catch {
            // Not what is there, which lacks a purge.
            folder.removeOwn("purges")
            _ = folder.syncNames()
            if state.file >= 0 { close(state.file) }
            state.file = -1
            state.length = 0
            state.isSound = false
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

    /// Whether an object with that head was purged.
    func isPurged(_ head: StoredHead) -> Bool {
        if head.generation >= latest { return false }
        return state.withLock { $0.table.isPurged(head.generation, scopes: head.scopeCount) { head.scope($0) } }
    }

    /// Whether an object so described, whose download began in `generation`, was purged since.
    func isPurged(_ description: ObjectDescription, since generation: UInt64) -> Bool {
        if generation >= latest { return false }
        let scopes = description.scopes
        return state.withLock { $0.table.isPurged(generation, scopes: scopes.count) { scopes[$0] } }
    }

    /// Scope 0 stands for everything; a hash that is 0 purges everything, too.
    private static func record(_ scope: CacheScope?, _ generation: UInt64) -> [UInt8] {
        var record = [UInt8](repeating: 0, count: recordLength)
        record.withUnsafeMutableBytes { memory in
            memory.put(scope?.hash ?? 0, at: 0)
            memory.put(generation, at: 8)
            memory.put(Checksum.of(UnsafeRawBufferPointer(rebasing: memory[..<16]), seed: 1), at: 16)
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
