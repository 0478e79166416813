// SPDX-License-Identifier: Apache-2.0
// Purges survive a restart: each is a record of 24 bytes (scope, generation, checksum) appended to the file `purges`, which is
// written anew at start. A file that is missing or damaged purges everything: what was purged must not come back.

import Engine
import Glibc
import Synchronization

/// The purges, in memory and on disk.
final class PurgeJournal: Sendable {
    private static let recordLength = 24
    private struct State {
        var table = PurgeTable()
        var file: Int32 = -1
        var length = 0
    }
    private let state = Mutex(State())
    /// The latest generation, to be read without a lock.
    private let latestGeneration = Atomic<UInt64>(0)

    /// Reads the folder's purges and begins a new file. Blocks.
    init(_ folder: CacheFolder, now: UInt64) {
        var table = PurgeTable()
        var isSound = false
        if case .success(let number) = folder.openOwn("purges", O_RDONLY) {
            isSound = Self.read(number, into: &table)
            close(number)
        }
        if !isSound && !folder.isFresh { _ = table.purge(nil, now: now) }
        latestGeneration.store(table.latest, ordering: .relaxed)
        var image: [UInt8] = []
        for (scope, generation) in table.entries { image += Self.record(scope, generation) }
        var file: Int32 = -1
        if case .success(let number) = folder.openOwn("purges.new", O_RDWR | O_CREAT | O_TRUNC) {
            if FileCalls.write(number, image.span, at: 0) == 0, fdatasync(number) == 0,
                folder.replaceOwn("purges", by: "purges.new")
            {
                file = number
            } else {
                close(number)
            }
        }
        let opened = State(table: table, file: file, length: image.count)
        state.withLock { $0 = opened }
    }

    deinit { state.withLock { if $0.file >= 0 { close($0.file) } } }

    /// The latest generation: what is downloaded from now on has it.
    var latest: UInt64 { latestGeneration.load(ordering: .acquiring) }

    /// Purges a scope, or everything, in memory. What is to be given to `write`.
    func purge(_ scope: CacheScope?, now: UInt64) -> UInt64 {
        state.withLock { state in
            let generation = state.table.purge(scope, now: now)
            latestGeneration.store(generation, ordering: .releasing)
            return generation
        }
    }

    /// Writes a purge down, for good. Blocks. False when that failed, so that it would not survive a restart.
    func write(_ scope: CacheScope?, _ generation: UInt64) -> Bool {
        state.withLock { state in
            guard state.file >= 0 else { return false }
            let record = Self.record(scope, generation)
            guard FileCalls.write(state.file, record.span, at: state.length) == 0 else { return false }
            state.length += record.count
            return fdatasync(state.file) == 0
        }
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
