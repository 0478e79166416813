// SPDX-License-Identifier: Apache-2.0
// A leader that was told to pause is told to go on, whatever else happens meanwhile: nothing but that ends its pause.

import Dispatch
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

private func description(_ length: Int? = nil) -> ObjectDescription {
    ObjectDescription(metadata: bytes("head"), record: CacheRecord(), bodyLength: length)
}

@Suite struct FillRoomTests {
    /// Keeps all disk threads from working until it goes.
    private final class BusyDisk: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let threads: Int

        init(_ test: TestStore) {
            threads = test.options.threads
            for _ in 0..<threads { test.store.threads.submit(TaskJob { [gate] in gate.wait() }) }
        }

        func end() { for _ in 0..<threads { gate.signal() } }
    }

    @Test func aBlockedLeaderThatAppendsWhileTheDiskCatchesUpIsToldAllTheSame() throws {
        let test = try TestStore()
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        let disk = BusyDisk(test)
        defer { disk.end() }
        guard let (fill, leader) = test.lead("key") else { return fail("nobody leads") }
        let file = SharedFile(adopting: open("/dev/null", O_RDWR), threads: test.store.threads) {}
        func wrote(_ count: Int) {
            fill.wrote(count, Array(repeating: 0, count: count / StoredFooter.chunk), file, bodyOffset: 0)
        }
        let room = test.loop.perform {
            fill.begin(description())
            return fill.append(pattern(fill.backlog, seed: 1).span)
        }
        #expect(room == .blocked)
        wrote(fill.backlog / 4)
        // As the encoder does when it flushes what it has held back.
        #expect(test.loop.perform { fill.append([1].span) } == .blocked)
        wrote(fill.backlog / 2)
        leader.wait()
        #expect(test.loop.perform { leader.drains } == 1)
        #expect(test.loop.perform { fill.append([1].span) } == .room)
        test.loop.perform { fill.leave() }
    }

    @Test func aLeaderThatReadsWithoutADiskIsToldAllTheSame() throws {
        let test = try TestStore { $0.fillWindow = 64 << 10 }
        guard let (fill, leader) = test.lead("key") else { return fail("nobody leads") }
        let room = test.loop.perform {
            fill.begin(description())
            fill.loseDisk()
            leader.limit = 0
            _ = fill.next(leader)
            return fill.append(pattern(160 << 10, seed: 1).span)
        }
        #expect(room == .blocked)
        test.loop.perform {
            leader.limit = 1
            leader.follow(fill)
        }
        #expect(test.loop.perform { leader.body.count } == 64 << 10)
        #expect(test.loop.perform { fill.append([1].span) } == .blocked)
        test.loop.perform {
            leader.limit = .max
            leader.take()
        }
        leader.wait()
        #expect(test.loop.perform { leader.drains } == 1)
        test.loop.perform { fill.leave() }
    }
}
