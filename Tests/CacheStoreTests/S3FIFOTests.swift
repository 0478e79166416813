// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import CacheStore

/// The order of eviction on paper, and against LRU.
@Suite struct S3FIFOTests {
    /// A cache of `capacity` members of size 1, by tag.
    private final class Cache {
        var queues = S3FIFO()
        var nodes: [UInt32: UInt32] = [:]
        let table = Uses()
        let capacity: Int
        init(_ capacity: Int) { self.capacity = capacity }

        /// Whether it was there.
        func ask(_ tag: UInt32) -> Bool {
            if nodes[tag] != nil {
                table.counts[Int(tag)] = min(3, table.counts[Int(tag)] + 1)
                return true
            }
            while queues.count >= capacity { _ = evict() }
            nodes[tag] = queues.insert(tag: tag, hash: Self.hash(tag), size: 1)
            table.counts[Int(tag)] = 0
            return false
        }
        static func hash(_ tag: UInt32) -> UInt64 { UInt64(tag) &* 0x9E37_79B9_7F4A_7C15 >> 7 }
        func evict() -> UInt32? {
            let table = table
            let victim = queues.evict(
                uses: { table.counts[Int($0)] }, setUses: { table.counts[Int($0)] = $1 }, hash: { Self.hash($0) })
            if let victim { nodes[victim.tag] = nil }
            return victim?.tag
        }
    }
    private final class Uses {
        var counts = [Int](repeating: 0, count: 300_000)
    }

    @Test func newcomersLeaveFirstUnlessAskedForAgain() {
        let cache = Cache(10)
        for tag in 1...10 as ClosedRange<UInt32> { #expect(!cache.ask(tag)) }
        // Twice more: 1 and 3 move to the main queue when their turn comes. Once is not enough.
        for tag in [1, 1, 2, 3, 3] as [UInt32] { #expect(cache.ask(tag)) }
        #expect((0..<8).map { _ in cache.evict() } == [2, 4, 5, 6, 7, 8, 9, 10])
        #expect(cache.queues.count == 2)
        #expect([cache.evict(), cache.evict(), cache.evict()] == [1, 3, nil])
    }

    @Test func whoComesBackSoonGoesIntoTheMainQueue() {
        let cache = Cache(4)
        for tag in 1...4 as ClosedRange<UInt32> { _ = cache.ask(tag) }
        #expect(cache.evict() == 1)
        _ = cache.ask(1)
        #expect([cache.evict(), cache.evict(), cache.evict()] == [2, 3, 4])
        #expect(cache.evict() == 1)
    }

    @Test func aMemberOfTheMainQueueHasATurnForEachUse() {
        let cache = Cache(100)
        for tag in [1, 2, 3] as [UInt32] { cache.nodes[tag] = cache.queues.insert(tag: tag, size: 1, isMain: true) }
        for tag in [1, 1, 2] as [UInt32] { #expect(cache.ask(tag)) }
        #expect([cache.evict(), cache.evict(), cache.evict()] == [3, 2, 1])
    }

    @Test func sizesFollowWhatIsResizedAndRemoved() {
        var queues = S3FIFO()
        let first = queues.insert(tag: 1, hash: 1, size: 10)
        let second = queues.insert(tag: 2, hash: 2, size: 20)
        queues.resize(first, to: 15)
        #expect(queues.size == 35)
        queues.remove(second)
        #expect(queues.size == 15)
        #expect(queues.count == 1)
        let third = queues.insert(tag: 3, hash: 3, size: 1)
        #expect(third == second)
    }

    @Test func hitRatioIsAboveThatOfLRUOnAZipfTraceWithScans() {
        let trace = Self.trace(requests: 400_000)
        for capacity in [1_000, 5_000] {
            let ours = Cache(capacity)
            var lru = LRU(capacity)
            var hits = (ours: 0, lru: 0)
            for tag in trace {
                if ours.ask(tag) { hits.ours += 1 }
                if lru.ask(tag) { hits.lru += 1 }
            }
            let ratios = (Double(hits.ours) / Double(trace.count), Double(hits.lru) / Double(trace.count))
            print("hit ratio with \(capacity) objects: S3-FIFO \(ratios.0), LRU \(ratios.1)")
            #expect(ratios.0 > ratios.1 + 0.02)
        }
    }

    /// Zipf(0.9) over 50 000 objects; every 20 000 requests a scan over 5 000 objects that never come again.
    private static func trace(requests: Int) -> [UInt32] {
        let objects = 50_000
        var sums: [Double] = []
        var sum = 0.0
        for rank in 1...objects {
            sum += 1 / pow(Double(rank), 0.9)
            sums.append(sum)
        }
        var state: UInt64 = 42
        var trace: [UInt32] = []
        var scanned = UInt32(objects)
        while trace.count < requests {
            for _ in 0..<20_000 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let point = Double(state >> 11) / Double(UInt64(1) << 53) * sum
                var low = 0
                var high = objects - 1
                while low < high {
                    let middle = (low + high) / 2
                    if sums[middle] < point { low = middle + 1 } else { high = middle }
                }
                trace.append(UInt32(low))
            }
            for _ in 0..<5_000 {
                trace.append(scanned)
                scanned += 1
            }
        }
        return trace
    }

    private struct LRU {
        let capacity: Int
        var times: [UInt32: Int] = [:]
        var order: [(tag: UInt32, time: Int)] = []
        var first = 0
        var now = 0
        init(_ capacity: Int) { self.capacity = capacity }
        mutating func ask(_ tag: UInt32) -> Bool {
            now += 1
            let isHit = times[tag] != nil
            times[tag] = now
            order.append((tag, now))
            while times.count > capacity {
                if times[order[first].tag] == order[first].time { times[order[first].tag] = nil }
                first += 1
            }
            return isHit
        }
    }
}
