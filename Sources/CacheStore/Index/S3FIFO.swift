// SPDX-License-Identifier: Apache-2.0
// S3-FIFO ("FIFO queues are all you need for cache eviction", SOSP 2023): newcomers go into a small queue and leave the cache
// from there unless they were asked for again, so a scan passes through a tenth of the space. What was thrown out of the
// small queue is remembered for a while (the ghost) and comes back into the main queue, whose members have another turn
// for each time that they were asked for.
//
// Pure: how often a member was asked for is kept by the owner, next to what a lookup touches anyway, and asked for here.

/// The order of eviction. Members are known by node numbers that this type hands out.
struct S3FIFO {
    private static let none = UInt32.max
    private enum Place: UInt8 { case free, small, main }
    private struct Node {
        var next = none
        var previous = none
        var size: UInt32 = 0
        /// The owner's.
        var tag: UInt32 = 0
        var place = Place.free
    }
    private struct Queue {
        /// The newest and the oldest.
        var head = none
        var tail = none
        var size = 0
        var count = 0
    }

    private var nodes: ContiguousArray<Node> = []
    private var firstFree = none
    private var small = Queue()
    private var main = Queue()
    private var ghost = Ghost()

    /// What all members together take.
    var size: Int { small.size + main.size }
    /// How many members there are.
    var count: Int { small.count + main.count }

    /// Adds a newcomer. `hash` is what the ghost remembers it by; without a tag, the node is its tag.
    mutating func insert(tag: UInt32? = nil, hash: UInt64, size: UInt32) -> UInt32 {
        insert(tag: tag, size: size, isMain: ghost.remove(hash))
    }

    /// Adds a member to the queue it was in before a restart.
    mutating func insert(tag: UInt32?, size: UInt32, isMain: Bool) -> UInt32 {
        let node = take()
        nodes[Int(node)].tag = tag ?? node
        nodes[Int(node)].size = size
        push(node, isMain ? .main : .small)
        return node
    }

    /// A member has another size now.
    mutating func resize(_ node: UInt32, to size: UInt32) {
        let change = Int(size) - Int(nodes[Int(node)].size)
        nodes[Int(node)].size = size
        if nodes[Int(node)].place == .main { main.size += change } else { small.size += change }
    }

    func size(of node: UInt32) -> UInt32 { nodes[Int(node)].size }

    /// Takes a member out.
    mutating func remove(_ node: UInt32) {
        unlink(node)
        give(node)
    }

    /// Chooses who leaves, takes it out, and returns its node (which is not valid any more) and its tag.
    ///
    /// - Parameters:
    ///   - uses: How often the member with that tag was asked for, at most 3; called with what to set that to before it
    ///     is returned as it was.
    ///   - hash: What the ghost is to remember the member with that tag by.
    mutating func evict(
        uses: (UInt32) -> Int, setUses: (UInt32, Int) -> Void, hash: (UInt32) -> UInt64
    ) -> (
        node: UInt32, tag: UInt32
    )? {
        while count > 0 {
            if small.count > 0, small.size * 10 >= size || main.count == 0 {
                let node = small.tail
                let tag = nodes[Int(node)].tag
                unlink(node)
                if uses(tag) > 1 {
                    setUses(tag, 0)
                    push(node, .main)
                    continue
                }
                ghost.add(hash(tag), limit: main.count)
                give(node)
                return (node, tag)
            }
            let node = main.tail
            let tag = nodes[Int(node)].tag
            unlink(node)
            let used = uses(tag)
            if used > 0 {
                setUses(tag, used - 1)
                push(node, .main)
                continue
            }
            give(node)
            return (node, tag)
        }
        return nil
    }

    /// Visits all members, the oldest first.
    func forEach(_ visit: (_ tag: UInt32, _ size: UInt32, _ isMain: Bool) -> Void) {
        for (queue, isMain) in [(main, true), (small, false)] {
            var node = queue.tail
            while node != Self.none {
                visit(nodes[Int(node)].tag, nodes[Int(node)].size, isMain)
                node = nodes[Int(node)].previous
            }
        }
    }

    // MARK: Lists

    private mutating func take() -> UInt32 {
        if firstFree != Self.none {
            let node = firstFree
            firstFree = nodes[Int(node)].next
            return node
        }
        if nodes.count == nodes.capacity { nodes.reserveCapacity(nodes.count + max(64, nodes.count / 4)) }
        nodes.append(Node())
        return UInt32(nodes.count - 1)
    }

    private mutating func give(_ node: UInt32) {
        nodes[Int(node)] = Node(next: firstFree)
        firstFree = node
    }

    private subscript(place: Place) -> Queue {
        get { place == .main ? main : small }
        set { if place == .main { main = newValue } else { small = newValue } }
    }

    private mutating func push(_ node: UInt32, _ place: Place) {
        var queue = self[place]
        nodes[Int(node)].place = place
        nodes[Int(node)].previous = Self.none
        nodes[Int(node)].next = queue.head
        if queue.head != Self.none { nodes[Int(queue.head)].previous = node } else { queue.tail = node }
        queue.head = node
        queue.size += Int(nodes[Int(node)].size)
        queue.count += 1
        self[place] = queue
    }

    private mutating func unlink(_ node: UInt32) {
        let place = nodes[Int(node)].place
        var queue = self[place]
        let before = nodes[Int(node)].previous
        let after = nodes[Int(node)].next
        if before != Self.none { nodes[Int(before)].next = after } else { queue.head = after }
        if after != Self.none { nodes[Int(after)].previous = before } else { queue.tail = before }
        queue.size -= Int(nodes[Int(node)].size)
        queue.count -= 1
        self[place] = queue
    }
}

/// Who was thrown out of the small queue lately: a table of fingerprints with the time of each. One that falls on another's
/// place takes it, and a fingerprint may be another's: either costs a little of the hit ratio and nothing else.
private struct Ghost {
    private struct Entry {
        var fingerprint: UInt32 = 0
        var time: UInt32 = 0
    }
    private var entries: ContiguousArray<Entry> = []
    /// Counts additions, from 1; 0 is an empty place.
    private var now: UInt32 = 0
    private var limit = 0

    /// Remembers `hash`, together with as many others as `limit` says.
    mutating func add(_ hash: UInt64, limit: Int) {
        self.limit = max(limit, 16)
        if entries.count < self.limit {
            var size = 64
            while size < self.limit { size *= 2 }
            let old = entries
            entries = ContiguousArray(repeating: Entry(), count: size)
            // A place in the larger table is not known from the fingerprint alone unless that holds its bits.
            for entry in old where entry.time != 0 { entries[Int(entry.fingerprint) & (size - 1)] = entry }
        }
        now &+= 1
        if now == 0 { now = 1 }
        let fingerprint = UInt32(truncatingIfNeeded: hash)
        entries[Int(fingerprint) & (entries.count - 1)] = Entry(fingerprint: fingerprint, time: now)
    }

    /// Whether `hash` is remembered; it is forgotten with that.
    mutating func remove(_ hash: UInt64) -> Bool {
        guard !entries.isEmpty else { return false }
        let fingerprint = UInt32(truncatingIfNeeded: hash)
        let place = Int(fingerprint) & (entries.count - 1)
        let entry = entries[place]
        guard entry.time != 0, entry.fingerprint == fingerprint, now &- entry.time < UInt32(limit) else { return false }
        entries[place] = Entry()
        return true
    }
}
