// SPDX-License-Identifier: Apache-2.0
// The index on disk, so that a start need not open every file: records of 120 bytes appended one `write` each, as objects come
// and go. What was written survives `kill -9`; what a power cut tears or loses is found by the walk through the folder, or by
// the lookup that finds no file. When most records are outdated, or one could not be written, the file is written anew from
// the index.
//
//     0  kind 4, units 4     8  hash of the key 16    24  hash of the variant 16    40  the caller's record 64
//   104  zero 8            112  checksum 8

import Bytes
import CLinux
import Engine
import Glibc
import Synchronization

/// The journal of what is stored.
final class IndexJournal: Sendable {
    enum Kind: UInt32 {
        case small = 1
        case main
        case removed
    }
    static let recordLength = 120
    private static let piece = recordLength * 4096

    private struct State {
        var file: Int32 = -1
        var length = 0
        /// What came while the file is being written anew.
        var pending: [UInt8]?
        /// What came while the journal is being replayed: newer than anything in it.
        var touched: Set<ObjectID>?
        /// Whether all that was appended is in the file, or in `pending`.
        var isSound = false
        /// Whether somebody was told that it is to be written anew.
        var isCompactionDue = false
    }
    private let state: Lock<State>
    private let folder: CacheFolder
    /// How long the file was at start.
    private let startLength: Int

    init(_ folder: CacheFolder) {
        self.folder = folder
        var opened = State(touched: [])
        if case .success(let number) = folder.openOwn("journal", O_RDWR | O_CREAT) {
            opened.file = number
            let size = Int(FileCalls.status(number)?.st_size ?? 0)
            // A record that was being written when the power went.
            opened.length = size - size % Self.recordLength
            opened.isSound = true
        }
        startLength = opened.length
        state = Lock(opened)
    }

    deinit { state.withLock { if $0.file >= 0 { close($0.file) } } }

    /// The bytes that the file takes.
    var length: Int { state.withLock { $0.length } }

    /// Whether the file says all that it should.
    var isSound: Bool { state.withLock { $0.isSound } }

    /// What became of a record.
    enum Appended {
        case written
        /// The file is being written anew, or is to be.
        case waits
        /// From now on the file lacks something.
        case failed(SystemFailure)
    }

    /// Writes down that an object came or went. Blocks.
    func append(_ kind: Kind, _ id: ObjectID, _ record: CacheRecord = CacheRecord(), units: UInt32 = 0) -> Appended {
        let bytes = Self.bytes(kind, id, record, units)
        return state.withLock { state in
            state.touched?.insert(id)
            if state.pending != nil {
                state.pending?.append(contentsOf: bytes)
                return .waits
            }
            guard state.isSound else { return .waits }
            let code = FileCalls.write(state.file, bytes.span, at: state.length)
            guard code == 0 else {
                state.isSound = false
                return .failed(SystemFailure("write", code: code))
            }
            state.length += bytes.count
            return .written
        }
    }

    /// Reads what an earlier process wrote; damaged records are passed over. `visit` is called for what is newest of all that
    /// is known of an object, or older: it is to be applied in order.
    func replay(_ visit: (Kind, ObjectID, CacheRecord, UInt32) -> Void) {
        let file = state.withLock { $0.file }
        var offset = 0
        while offset < startLength {
            let count = min(Self.piece, startLength - offset)
            guard let piece = FileCalls.bytes(file, at: offset, count: count) else { break }
            state.withLock { state in
                for start in stride(from: 0, to: count, by: Self.recordLength) {
                    let body = piece.bytes.extracting(start..<start + 112)
                    guard Checksum.of(body, seed: 2) == piece.number(at: start + 112, as: UInt64.self),
                        let kind = Kind(rawValue: piece.number(at: start, as: UInt32.self))
                    else { continue }
                    let words = (1..<13).map { piece.number(at: start + $0 * 8, as: UInt64.self) }
                    let id = ObjectID(
                        key: CacheHash(high: words[0], low: words[1]),
                        variant: CacheHash(high: words[2], low: words[3]))
                    if state.touched?.contains(id) == true { continue }
                    var record = CacheRecord()
                    for index in 0..<8 { record.words[index] = words[4 + index] }
                    visit(kind, id, record, piece.number(at: start + 4, as: UInt32.self))
                }
            }
            offset += count
        }
        state.withLock { $0.touched = nil }
    }

    /// Whether so much of the file is outdated that it should be written anew. True once until that is done.
    func takeBloated(live: Int) -> Bool {
        state.withLock { state in
            guard !state.isCompactionDue, state.pending == nil, state.length / Self.recordLength > live * 2 + 4096
            else { return false }
            state.isCompactionDue = true
            return true
        }
    }

    /// From now on what comes waits for `compact`, which must follow. False when another thread is at it.
    func beginCompaction() -> Bool {
        state.withLock { state in
            guard state.pending == nil, state.touched == nil else { return false }
            state.pending = []
            return true
        }
    }

    /// What became of a compaction: by how many bytes the file has grown (below 0: shrunk).
    struct Compaction {
        var growth = 0
        var failure: SystemFailure?
    }

    /// Writes the file anew from the index; without one it stays as it is, and so it does when that fails. Blocks.
    func compact(_ index: CacheIndex?) -> Compaction {
        var outcome = Compaction()
        var new: (file: Int32, length: Int)?
        if let index {
            do throws(SystemFailure) {
                new = try write(index)
            } catch {
                outcome.failure = error
            }
        }
        state.withLock { state in
            let pending = state.pending ?? []
            state.pending = nil
            state.isCompactionDue = false
            if let (file, length) = new {
                let code = FileCalls.write(file, pending.span, at: length)
                if code == 0, folder.replaceOwn("journal", by: "journal.new") {
                    if state.file >= 0 { close(state.file) }
                    outcome.growth = length + pending.count - state.length
                    state.file = file
                    state.length = length + pending.count
                    state.isSound = true
                    return
                }
                outcome.failure = SystemFailure(code == 0 ? "renameat" : "write", code: code == 0 ? errno : code)
                close(file)
                folder.removeOwn("journal.new")
            }
            guard state.isSound else { return }
            let code = FileCalls.write(state.file, pending.span, at: state.length)
            if code == 0 {
                outcome.growth = pending.count
                state.length += pending.count
            } else {
                outcome.failure = SystemFailure("write", code: code)
                state.isSound = false
            }
        }
        return outcome
    }

    private func write(_ index: CacheIndex) throws(SystemFailure) -> (file: Int32, length: Int) {
        let file = try folder.openOwn("journal.new", O_RDWR | O_CREAT | O_TRUNC).get()
        var length = 0
        var code: Int32 = 0
        var piece: [UInt8] = []
        func flush() {
            code = FileCalls.write(file, piece.span, at: length)
            length += piece.count
            piece.removeAll(keepingCapacity: true)
        }
        for entry in index.snapshot() where code == 0 {
            piece += Self.bytes(entry.isMain ? .main : .small, entry.id, entry.record, entry.units)
            if piece.count >= Self.piece { flush() }
        }
        if code == 0 { flush() }
        guard code == 0 else {
            close(file)
            folder.removeOwn("journal.new")
            throw SystemFailure("write", code: code)
        }
        return (file, length)
    }

    private static func bytes(_ kind: Kind, _ id: ObjectID, _ record: CacheRecord, _ units: UInt32) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: recordLength) { buffer, count in
            let memory = unsafe UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: recordLength)
            unsafe memory.put(kind.rawValue, at: 0)
            unsafe memory.put(units, at: 4)
            unsafe memory.put(id.key.high, at: 8)
            unsafe memory.put(id.key.low, at: 16)
            unsafe memory.put(id.variant.high, at: 24)
            unsafe memory.put(id.variant.low, at: 32)
            for index in 0..<8 { unsafe memory.put(record.words[index], at: 40 + index * 8) }
            unsafe memory.put(UInt64(0), at: 104)
            unsafe memory.put(Checksum.of(UnsafeRawBufferPointer(rebasing: memory[..<112]), seed: 2), at: 112)
            count = recordLength
        }
    }
}
