// SPDX-License-Identifier: Apache-2.0

/// Blocks of one size, kept for use again. Belongs to one loop.
///
/// The block given back last is handed out first. More than `limit` free ones are released to the allocator, so a burst
/// does not hold its memory for ever.
public final class BlockPool {
    /// The size of every block of this pool, in bytes.
    public let blockSize: Int
    /// How many free blocks are kept at most.
    public let limit: Int
    /// Blocks that are handed out now.
    public private(set) var inUse = 0
    private var available: [Block] = []

    /// A pool of blocks of `blockSize` bytes that keeps at most `limit` free ones.
    public init(blockSize: Int, limit: Int) {
        self.blockSize = blockSize
        self.limit = limit
        available.reserveCapacity(limit)
    }

    /// An empty block, from the free ones when there is one.
    public func take() -> Block {
        inUse &+= 1
        return available.popLast() ?? Block(capacity: blockSize)
    }

    /// Takes a block back. It must have come from this pool and must not be used by its giver any more.
    public func give(_ block: Block) {
        precondition(block.capacity == blockSize, "a block goes back to the pool that it came from")
        inUse &-= 1
        guard available.count < limit else { return }
        block.clear()
        available.append(block)
    }
}
