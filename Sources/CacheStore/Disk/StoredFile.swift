// SPDX-License-Identifier: Apache-2.0
// A large object, open for reading. Its body is read in chunks of 64 KiB, each checked before a byte of it leaves.
//
// On a plain socket the body leaves by `sendfile`, which gives nobody a chance to look at it. So a chunk is first read from
// the page cache into memory and checked there, once while the file is open: a copy of 64 KiB costs less than faults on
// a mapping do, and a file that is cut meanwhile is a short read rather than SIGBUS. The mark holds until the file is
// opened anew, which happens when its status shows that somebody wrote to it, and at least every minute, since bytes that
// the kernel reads again from a failing disk do not show there.

public import Bytes
import CLinux
public import Engine
import Glibc
import Synchronization

/// A piece of a file with a checksum of its own.
public struct FileChunk: Sendable {
    let file: SharedFile
    let offset: Int
    let sum: UInt64
    /// Its number in the body, from 0.
    public let number: Int
    /// Its length in bytes, at most 64 KiB.
    public let length: Int

    /// Reads it into `block`, which is emptied first and has room for it, if it is in the page cache. Does not block.
    public func readNow(into block: Block) -> ChunkOutcome {
        unsafe read(into: block) { unsafe gw_read_now(file.number, $0, $1, $2) }
    }

    /// Reads it into `block`. Blocks.
    func readBlocking(into block: Block) -> ChunkOutcome {
        let outcome = unsafe read(into: block) { base, count, offset in
            unsafe FileCalls.read(file.number, into: .init(start: base, count: count), at: Int(offset)) ?? -1
        }
        return outcome == .wouldBlock ? .damaged : outcome
    }

    private func read(into block: Block, _ call: (UnsafeMutableRawPointer, Int, off_t) -> Int) -> ChunkOutcome {
        block.clear()
        precondition(block.free >= length, "room for a chunk")
        let got = unsafe block.fill { free -> (written: Int, outcome: Int) in
            guard let base = free.baseAddress else { return (0, 0) }
            let got = unsafe call(base, length, off_t(offset))
            return (max(0, got), got)
        }
        if got == length, StoredFooter.sum(block.readable, number: number) == sum { return .ready }
        block.clear()
        // Less than a chunk came: part of it may not be in the page cache, or the file is cut. A disk thread finds out.
        return got < length ? .wouldBlock : .damaged
    }
}

/// An object on disk that is larger than what is kept in memory. Immutable but for what has been checked.
public final class StoredFile: Sendable {
    /// What it is.
    public let head: StoredHead
    private let file: SharedFile
    let sums: [UInt64]
    private let store: ObjectStore
    /// Which chunks were checked, a bit each.
    private let checked: Lock<[UInt64]>
    private let status: Status
    /// When it was opened, in monotonic milliseconds.
    private let openedAt: UInt64
    /// For how long checked chunks count as checked, in milliseconds.
    private static let trust: UInt64 = 60_000

    /// What of a file's status shows that somebody changed it.
    private struct Status: Equatable {
        let size, links, seconds, nanoseconds: Int
        let inode: ino_t
        init(_ status: stat) {
            size = Int(status.st_size)
            inode = status.st_ino
            links = Int(status.st_nlink)
            seconds = status.st_ctim.tv_sec
            nanoseconds = status.st_ctim.tv_nsec
        }
    }

    init(head: StoredHead, file: SharedFile, sums: [UInt64], status: stat, store: ObjectStore) {
        self.head = head
        self.file = file
        self.sums = sums
        self.status = Status(status)
        self.store = store
        checked = Lock(Array(repeating: 0, count: (sums.count + 63) / 64))
        openedAt = ObjectStore.monotonicMilliseconds()
    }

    /// Bytes of every chunk but the last.
    public static let chunkBytes = StoredFooter.chunk

    /// The length of the body in bytes.
    public var length: Int { head.bodyLength }
    /// How many chunks the body has.
    public var chunkCount: Int { sums.count }

    /// Whether the file is still the one that was opened, and was opened not long ago.
    func isCurrent(now: UInt64) -> Bool {
        guard now < openedAt + Self.trust, let status = FileCalls.status(file.number) else { return false }
        return Status(status) == self.status
    }

    /// The chunk with that number, which must be one of the body's.
    public func chunk(_ number: Int) -> FileChunk {
        let start = number * StoredFooter.chunk
        return FileChunk(
            file: file, offset: head.length + start, sum: sums[number], number: number,
            length: min(StoredFooter.chunk, length - start))
    }

    /// Reads a chunk into `block` if it is in the page cache. Does not block.
    public func readNow(_ number: Int, into block: Block) -> ChunkOutcome {
        let outcome = chunk(number).readNow(into: block)
        noteOutcome(outcome, number)
        return outcome
    }

    /// Has a disk thread read a chunk into `block` and tell `reader`; the block is the thread's until then. False when too many wait
    /// for the disk already: then nobody is told, and the block is the caller's.
    public func readSoon(_ number: Int, into block: Block, for reader: CacheReader) -> Bool {
        store.read(chunk(number), of: self, into: block, for: reader)
    }

    /// What became of sending.
    public enum Sending: Equatable, Sendable {
        /// As the kernel has it.
        case sent(IOOutcome)
        /// The chunk with that number is not in the page cache: `readSoon` it, then try again.
        case wouldBlock(chunk: Int)
        /// As `ChunkOutcome.damaged`.
        case damaged
    }

    /// Sends from `offset` of the body to `socket`, at most `limit` bytes, at most a MiB, straight from the page cache.
    /// `scratch` is a block for 64 KiB to check chunks in. The corresponding C function is `sendfile`.
    public func send(from offset: Int, limit: Int, to socket: Int32, scratch: Block) -> Sending {
        precondition(offset >= 0 && limit > 0 && offset < length, "sends what there is")
        let wanted = min(offset + min(limit, 1 << 20), length)
        var end = offset
        if isKnown(offset..<wanted) { end = wanted }
        while end < wanted {
            let number = end / StoredFooter.chunk
            let chunk = chunk(number)
            if isChecked(number) {
                var byte: UInt8 = 0
                if unsafe gw_read_now(file.number, &byte, 1, off_t(chunk.offset + chunk.length - 1)) != 1 {
                    if end > offset { break }
                    return .wouldBlock(chunk: number)
                }
            } else {
                let outcome = readNow(number, into: scratch)
                if outcome == .damaged { return .damaged }
                if outcome == .wouldBlock {
                    if end > offset { break }
                    return .wouldBlock(chunk: number)
                }
            }
            end = min(wanted, number * StoredFooter.chunk + chunk.length)
        }
        while true {
            let count = gw_send_file(socket, file.number, off_t(head.length + offset), end - offset)
            if count > 0 { return .sent(.bytes(count)) }
            // Cut since it was checked.
            if count == 0 {
                store.discardDamaged(self)
                return .damaged
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .sent(.wouldBlock)
            case EIO:
                store.discardDamaged(self)
                return .damaged
            default: return .sent(.failed(errno))
            }
        }
    }

    /// Whether all chunks of that part of the body were checked, and are in the page cache: one question for all, where the
    /// kernel can answer it. The last byte is asked for as well, since a page that is being read counts as cached.
    private func isKnown(_ part: Range<Int>) -> Bool {
        let chunks = part.lowerBound / StoredFooter.chunk...(part.upperBound - 1) / StoredFooter.chunk
        guard chunks.count > 2, chunks.allSatisfy(isChecked) else { return false }
        var byte: UInt8 = 0
        return unsafe gw_is_cached(file.number, off_t(head.length + part.lowerBound), part.count) == 1
            && gw_read_now(file.number, &byte, 1, off_t(head.length + part.upperBound - 1)) == 1
    }

    private func isChecked(_ number: Int) -> Bool {
        checked.withLock { $0[number / 64] & 1 << UInt64(number % 64) != 0 }
    }

    /// Remembers that a chunk is sound, or has the file removed.
    func noteOutcome(_ outcome: ChunkOutcome, _ number: Int) {
        switch outcome {
        case .ready: checked.withLock { $0[number / 64] |= 1 << UInt64(number % 64) }
        case .wouldBlock: break
        case .damaged: store.discardDamaged(self)
        }
    }

    /// Copies the body into another file. Blocks.
    func copyBody(to other: SharedFile, at offset: Int) -> Bool {
        gw_copy(file.number, off_t(head.length), other.number, off_t(offset), length) == 0
    }

    /// Which file it is.
    var inode: ino_t { status.inode }
}
