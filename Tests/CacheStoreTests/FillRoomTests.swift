// SPDX-License-Identifier: Apache-2.0
// A leader that was told to pause is told to go on, whatever else happens meanwhile: nothing but that ends its pause.

import Bytes
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
    @Test func aBlockedLeaderThatAppendsWhileTheDiskCatchesUpIsToldAllTheSame() throws {
        let test = try TestStore()
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        let disk = BusyDisk(test)
        defer { disk.end() }
        guard let (fill, leader) = test.lead("key") else { return fail("nobody leads") }
        let file = unsafe SharedFile(adopting: open("/dev/null", O_RDWR), threads: test.store.threads) {}
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

    /// The leader waits for the disk, or has more to append.
    @Test(arguments: [true, false]) func aDiskThatHangsIsGivenUpAndTheFillGoesOnInMemory(_ isBlocked: Bool) throws {
        let test = try TestStore { $0.writePatience = 50 }
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        let disk = BusyDisk(test)
        guard let (fill, leader) = test.lead("key") else { return fail("nobody leads") }
        let reader = TestReader(on: test.loop)
        var body = pattern(isBlocked ? fill.backlog : 300_000, seed: 1)
        let (first, store) = (body, test.store)
        let room = test.loop.perform {
            guard case .follow(let fill) = store.join(id("key"), key: bytes("key"), as: reader) else {
                return FillRoom.room
            }
            fill.begin(description())
            reader.follow(fill)
            return fill.append(first.span)
        }
        #expect(room == (isBlocked ? .blocked : .room))
        if isBlocked {
            leader.wait()
        } else {
            eventually("it is noticed") {
                body.append(1)
                return test.loop.perform {
                    _ = fill.append([1].span)
                    return fill.state.withLock { $0.isDiskLost }
                }
            }
        }
        #expect(fill.state.withLock { $0.isDiskLost && $0.isWriting && !$0.isLeaderBlocked })
        #expect(test.store.counters.diskErrors.load(ordering: .relaxed) == 1)
        let rest = pattern(2_000_000, seed: 2)
        for start in stride(from: 0, to: rest.count, by: 100_000) {
            let piece = Array(rest[start..<start + 100_000])
            #expect(test.loop.perform { fill.append(piece.span) } == .room)
            test.loop.perform {}
        }
        test.loop.perform { fill.complete() }
        reader.wait()
        let got = test.loop.perform { reader.body }
        #expect(got == body + rest)
        #expect(!test.store.fills.contains(fill))
        disk.end()
        eventually("the job is over") { fill.state.withLock { !$0.isWriting } }
        #expect(TemporaryFolder.names(test.directory + "/tmp").isEmpty)
        #expect(test.openIt("key") == nil)
    }

    @Test func aDiskThatGetsOnIsWaitedForHoweverSlowItIs() {
        var state = FillState()
        #expect(state.stallsAt(patience: 10) == nil)
        state.isWriting = true
        state.progressAt = 7
        #expect(state.stallsAt(patience: 10) == 17)
        state.progressAt = 16
        #expect(state.stallsAt(patience: 10) == 26)
        state.isDiskLost = true
        #expect(state.stallsAt(patience: 10) == nil)
    }
}
