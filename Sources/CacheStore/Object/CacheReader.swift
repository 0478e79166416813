// SPDX-License-Identifier: Apache-2.0
public import Bytes
public import Engine

/// What became of opening an object on disk.
public enum Opening: Sendable {
    /// There is none, or none that may be used.
    case miss
    /// A small one, whole.
    case object(CachedObject)
    /// A large one, to be read in chunks.
    case file(StoredFile)
}

/// What became of reading a chunk.
public enum ChunkOutcome: Equatable, Sendable {
    /// The block holds the chunk, checked.
    case ready
    /// It is not in the page cache: a disk thread has to read it.
    case wouldBlock
    /// It cannot be read, or is not what was written. The object has been removed; what was sent of it must be cut.
    case damaged
}

/// Who is told what a disk thread did, or that a fill went on. The caller derives from it.
///
/// `@unchecked Sendable` is safe because others only hold references: every method is called on `loop`, and the members are
/// touched there only, but for the one that a fill's lock protects.
open class CacheReader: @unchecked Sendable {
    /// The loop that it lives on.
    public final let loop: Loop
    /// How much of a fill's body it has taken, in bytes.
    public final internal(set) var position = 0
    /// Whether it has taken the head of a fill.
    public final internal(set) var hasBegun = false
    /// Its places in a fill's lists. Behind that fill's lock.
    final var places = InlineArray<2, Int>(repeating: -1)

    /// A reader on that loop.
    public init(on loop: Loop) { self.loop = loop }

    /// What became of `ObjectStore.open`.
    open func opened(_ opening: Opening) {}
    /// What became of `readSoon`; the block comes back.
    open func chunkRead(_ outcome: ChunkOutcome, _ block: Block) {}
    /// The fill that it reads has something new: ask `Fill.next`.
    open func fillProgressed() {}
    /// The fill that it leads has room again.
    open func fillDrained() {}
}
