// SPDX-License-Identifier: Apache-2.0

/// 64 KiB, or less, of a body that is being downloaded.
///
/// `@unchecked Sendable` is safe because the leader writes each byte once, before the fill's lock says that it is there, and
/// the others read only what that lock has told them of.
///
/// `@safe` because it owns the memory, and every access is checked against its capacity.
@safe final class FillChunk: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    let capacity: Int
    /// How much the leader has written. On its loop only.
    var filled = 0

    private let memory: FillMemory

    init(capacity: Int, _ memory: FillMemory) {
        self.capacity = capacity
        self.memory = memory
        unsafe base = .allocate(byteCount: capacity, alignment: 16)
        memory.add(capacity)
    }

    deinit {
        unsafe base.deallocate()
        memory.add(-capacity)
    }

    /// Appends as much as fits of `bytes`; how much that was. On the leader's loop only.
    func append(_ bytes: Span<UInt8>) -> Int {
        let count = min(bytes.count, capacity - filled)
        unsafe UnsafeMutableRawBufferPointer(start: base + filled, count: count).put(bytes.extracting(0..<count), at: 0)
        filled += count
        return count
    }

    /// The bytes in `range`, which must have been written.
    @_lifetime(borrow self)
    func bytes(_ range: Range<Int>) -> Span<UInt8> {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity, "a range outside the chunk")
        let start = unsafe UnsafePointer((base + range.lowerBound).assumingMemoryBound(to: UInt8.self))
        let span = unsafe Span(_unsafeStart: start, count: range.count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}

/// Bytes of a fill that are in memory, to be sent from where they are.
public struct FillPiece: Sendable {
    let chunk: FillChunk
    let range: Range<Int>

    /// How many bytes.
    public var count: Int { range.count }
    /// The bytes, for as long as the piece is kept.
    public var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(chunk.bytes(range), borrowing: self) }
    }
}

/// What a reader of a fill has to do next.
public enum FillStep: Sendable {
    /// Nothing yet; `fillProgressed` will be called, once.
    case wait
    /// Take the head. Said once, first.
    case head(ObjectDescription)
    /// Take these bytes, then say `took`.
    case bytes(FillPiece)
    /// Read this chunk (`readNow`, then `readSoon`), take these bytes of it, then say `took`.
    case stored(FileChunk, Range<Int>)
    /// The body is complete.
    case end
    /// It is not stored, and the reader has fallen so far behind the fastest that what it needs is gone: it goes on alone.
    case behind
    /// The download failed; what has been taken of it must be cut.
    case failed
    /// The leader has gone, and nothing has been taken: `join` again. The first to do so leads.
    case handOver
    /// The response is not to be stored or shared: each asks for its own.
    case released
    /// What was stored before is valid still, and has been brought up to date: look it up again.
    case refreshed
}

/// Whether a leader may go on.
public enum FillRoom: Equatable, Sendable {
    /// It may.
    case room
    /// The bytes were taken, but the disk, or without one the fastest reader, is behind: pause until `fillDrained`.
    case blocked
    /// It will not be stored, and nobody reads it.
    case unwanted
}
