// SPDX-License-Identifier: Apache-2.0
// What a fill's lock protects. The body is a row of chunks of 64 KiB: those at its end are in memory, those at its start in the
// file, and those between in both. Once the disk is lost, nothing more reaches the file, and the oldest chunks in memory
// are dropped when there are too many; who still needed them has fallen behind.

import Engine

struct FillState {
    enum Phase {
        /// Being downloaded.
        case open
        case complete
        case failed
        /// The leader went away.
        case abandoned
        /// Not to be stored.
        case refused
        /// What was stored is valid still, and says so now.
        case refreshed
    }
    var phase = Phase.open
    var description: ObjectDescription?
    /// Bytes of the body that have come.
    var received = 0
    /// How many of them those who read it get, when that is not all.
    var visible: Int?
    /// Bytes of it that are in the file.
    var written = 0
    /// The checksums of the chunks that are in the file.
    var sums: [UInt64] = []
    var file: SharedFile?
    /// Where the body starts in the file.
    var bodyOffset = 0
    /// The chunks in memory.
    var chunks: ContiguousArray<FillChunk> = []
    /// The number of the first of them.
    var firstChunk = 0
    /// Whether it will not be stored.
    var isDiskLost = false
    /// Whether a job writes, or waits to.
    var isWriting = false
    /// When that began, or last got on, in monotonic milliseconds.
    var progressAt: UInt64 = 0
    /// Whether the leader waits to be told that there is room: until `takeDrained` says so, or the end.
    var isLeaderBlocked = false
    var leader: CacheReader?
    /// Who is to be told when there is more.
    var waiting = ReaderList(.waiting)
    /// Who reads it, or is to.
    private(set) var readers = ReaderList(.reading)
    /// How far the reader has come who has come furthest; beyond that when who had is gone (`isFurthestGone`).
    private var furthest = 0
    private var isFurthestGone = false
    /// Whether it waits for the slowest of them.
    var pace = FillPace()
    /// Whether what is stored under its name has been made invalid since it began, or another has taken its place: it is read to
    /// its end by those who do, and not stored.
    var isInvalid = false

    init(leader: CacheReader? = nil) { self.leader = leader }

    /// Whether somebody can read it from its start.
    var isReadableFromStart: Bool { firstChunk == 0 || written > 0 && firstChunk * StoredFooter.chunk <= written }

    /// What a reader at `position` gets; nil when there is nothing yet.
    func step(at position: Int) -> FillStep? {
        let number = position / StoredFooter.chunk
        let start = number * StoredFooter.chunk
        let readable = visible ?? received
        if number >= firstChunk, number - firstChunk < chunks.count, position < readable {
            let end = min(readable - start, StoredFooter.chunk)
            return .bytes(FillPiece(chunk: chunks[number - firstChunk], range: position - start..<end))
        }
        if position < min(written, readable), number < sums.count, let file {
            let length = min(StoredFooter.chunk, written - start)
            let chunk = FileChunk(
                file: file, offset: bodyOffset + start, sum: sums[number], number: number, length: length)
            return .stored(chunk, position - start..<min(length, readable - start))
        }
        if position < readable { return .behind }
        return phase == .complete ? .end : nil
    }

    /// Drops chunks that need not be in memory: those in the file beyond `window` bytes, and without a disk those beyond `limit`.
    mutating func trim(window: Int, limit: Int) {
        var count = 0
        while count < chunks.count {
            let end = (firstChunk + count + 1) * StoredFooter.chunk
            let isStored = end <= written && received - end >= window
            guard isStored || isDiskLost && received - end >= limit else { break }
            count += 1
        }
        chunks.removeFirst(count)
        firstChunk += count
    }

    /// Chunks that can be written now: full ones, and the last when the body is complete.
    func unwritten(limit: Int) -> [(chunk: FillChunk, count: Int)] {
        var batch: [(FillChunk, Int)] = []
        var position = written
        while position < received, batch.count < limit {
            let count = min(StoredFooter.chunk, received - position)
            guard count == StoredFooter.chunk || phase == .complete else { break }
            let number = position / StoredFooter.chunk - firstChunk
            guard number >= 0, number < chunks.count else { break }
            batch.append((chunks[number], count))
            position += count
        }
        return batch
    }

    /// When the disk counts as hanging, which has something to write and is to get on within `patience` milliseconds; nil when
    /// nobody waits for it.
    func stallsAt(patience: Int) -> UInt64? {
        phase == .open && isWriting && !isDiskLost ? progressAt &+ UInt64(max(0, patience)) : nil
    }

    /// Those who wait, each of whom is told once.
    mutating func takeWaiting() -> ContiguousArray<CacheReader> { waiting.isEmpty ? [] : waiting.takeAll() }

    /// `reader` reads it from now on.
    mutating func attach(_ reader: CacheReader) { readers.insert(reader) }

    /// `reader` reads it no more.
    mutating func detach(_ reader: CacheReader) {
        waiting.remove(reader)
        if readers.remove(reader), reader.position >= furthest { isFurthestGone = true }
    }

    /// `reader` has taken so many bytes more.
    mutating func took(_ count: Int, _ reader: CacheReader) {
        reader.position += count
        if reader.position > furthest, readers.contains(reader) { furthest = reader.position }
    }

    /// Whether there is any use in what still comes.
    var isWanted: Bool { !isDiskLost || !readers.isEmpty }

    /// How many bytes nobody has taken yet: a download that is not stored goes at the pace of the fastest of those who read it. 0
    /// when nobody does.
    mutating func unread() -> Int {
        guard !readers.isEmpty else { return 0 }
        if isFurthestGone {
            furthest = readers.members.reduce(0) { max($0, $1.position) }
            isFurthestGone = false
        }
        return received - furthest
    }

    /// How many bytes the slowest reader has not taken yet.
    var lag: Int { readers.members.reduce(0) { max($0, received - $1.position) } }

    /// The leader, when it waits for room and there is some.
    mutating func takeDrained(backlog: Int, memoryLimit: Int) -> CacheReader? {
        guard isLeaderBlocked else { return nil }
        let hasRoom = isDiskLost ? unread() <= memoryLimit / 4 : received - written <= backlog / 2
        guard hasRoom else { return nil }
        isLeaderBlocked = false
        return pace.isWaiting ? nil : leader
    }
}
