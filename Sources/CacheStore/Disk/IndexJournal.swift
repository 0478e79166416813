// SPDX-License-Identifier: Apache-2.0
// The index on disk, so that a start need not open every file: records of 120 bytes appended one `write` each, as objects come
// and go. What was written survives `kill -9`; what a power cut tears or loses is found by the walk through the folder, or by
// the lookup that finds no file. When most records are outdated the file is written anew.
//
//     0  kind 4, units 4     8  hash of the key 16    24  hash of the variant 16    40  the caller's record 64
//   104  zero 8            112  checksum 8

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
    }
    private let state: Mutex<State>
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
        }
        startLength = opened.length
        state = Mutex(opened)
    }

    deinit { state.withLock { if $0.file >= 0 { close($0.file) } } }

    /// The bytes that the file takes.
    var length: Int { state.withLock { $0.length } }

    /// Writes down that an object came or went. Blocks. False when it could not be written.
    func append(_ kind: Kind, _ id: ObjectID, _ record: CacheRecord = CacheRecord(), units: UInt32 = 0) -> Bool {
        let bytes = Self.bytes(kind, id, record, units)
        return state.withLock { state in
            state.touched?.insert(id)
            if state.pending != nil {
                state.pending?.append(contentsOf: bytes)
                return true
            }
            guard state.file >= 0, FileCalls.write(state.file, bytes.span, at: state.length) == 0 else { return false }
            state.length += bytes.count
            return true
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

    /// Whether so much of the file is outdated that it should be written anew.
    func isBloated(live: Int) -> Bool {
        state.withLock { $0.pending == nil && $0.length / Self.recordLength > live * 2 + 4096 }
    }

    /// Writes the file anew from the index. Blocks.
    ///
    /// - Returns: By how many bytes the file has grown (below 0: shrunk) beside what was appended meanwhile, and whether it
    ///   could be written; the old file stays if not. Nil when another thread is at it.
    func compact(_ index: CacheIndex) -> (growth: Int, isDone: Bool)? {
        let isMine = state.withLock { state in
            guard state.pending == nil, state.touched == nil else { return false }
            state.pending = []
            return true
        }
        guard isMine else { return nil }
        var written = 0
        var isWritten = true
        var file: Int32 = -1
        if case .success(let number) = folder.openOwn("journal.new", O_RDWR | O_CREAT | O_TRUNC) { file = number }
        if file >= 0 {
            var piece: [UInt8] = []
            for id in index.snapshot() {
                piece += Self.bytes(id.isMain ? .main : .small, id.id, id.record, id.units)
                guard piece.count >= Self.piece else { continue }
                isWritten = isWritten && FileCalls.write(file, piece.span, at: written) == 0
                written += piece.count
                piece.removeAll(keepingCapacity: true)
            }
            isWritten = isWritten && FileCalls.write(file, piece.span, at: written) == 0
            written += piece.count
        }
        return state.withLock { state in
            let pending = state.pending ?? []
            state.pending = nil
            if file >= 0, isWritten, FileCalls.write(file, pending.span, at: written) == 0,
                folder.replaceOwn("journal", by: "journal.new")
            {
                if state.file >= 0 { close(state.file) }
                let growth = written - state.length
                state.file = file
                state.length = written + pending.count
                return (growth, true)
            }
            if file >= 0 { close(file) }
            guard state.file >= 0, FileCalls.write(state.file, pending.span, at: state.length) == 0 else {
                return (-pending.count, false)
            }
            state.length += pending.count
            return (0, false)
        }
    }

    private static func bytes(_ kind: Kind, _ id: ObjectID, _ record: CacheRecord, _ units: UInt32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: recordLength) { buffer, count in
            let memory = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: recordLength)
            memory.put(kind.rawValue, at: 0)
            memory.put(units, at: 4)
            memory.put(id.key.high, at: 8)
            memory.put(id.key.low, at: 16)
            memory.put(id.variant.high, at: 24)
            memory.put(id.variant.low, at: 32)
            for index in 0..<8 { memory.put(record.words[index], at: 40 + index * 8) }
            memory.put(UInt64(0), at: 104)
            memory.put(Checksum.of(UnsafeRawBufferPointer(rebasing: memory[..<112]), seed: 2), at: 112)
            count = recordLength
        }
    }
}
