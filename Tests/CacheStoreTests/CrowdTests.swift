// SPDX-License-Identifier: Apache-2.0
// Many readers, slow readers, and a disk that does not answer: what they cost is bounded.

import Bytes
import Dispatch
import Engine
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

/// Keeps all disk threads from working until it ends.
final class BusyDisk: Sendable {
    private let gate = DispatchSemaphore(value: 0)
    private let threads: Int

    init(_ test: TestStore) {
        threads = test.options.threads
        for _ in 0..<threads { test.store.threads.submit(TaskJob { [gate] in gate.wait() }) }
    }

    func end() { for _ in 0..<threads { gate.signal() } }
}

private func description(_ length: Int? = nil) -> ObjectDescription {
    ObjectDescription(metadata: bytes("head"), record: CacheRecord(), bodyLength: length)
}

@Suite struct CrowdTests {
    /// A fast and a slow reader of a download, which begins; the slow one takes a piece and stops.
    private func readers(of fill: Fill, in test: TestStore) -> (fast: TestReader, slow: TestReader) {
        let (fast, slow) = (TestReader(on: test.loop), TestReader(on: test.loop))
        let store = test.store
        test.loop.perform {
            for reader in [fast, slow] {
                guard case .follow = store.join(id("key"), key: bytes("key"), as: reader) else {
                    return fail("somebody else leads")
                }
            }
            fill.begin(description())
            slow.limit = 1
            fast.follow(fill)
            slow.follow(fill)
        }
        return (fast, slow)
    }

    @Test func aDownloadThatIsNotStoredGoesAtThePaceOfTheFastestReader() throws {
        let test = try TestStore {
            $0.largestBody = 100_000
            $0.fillWindow = 64 << 10
            $0.readerPatience = 0
        }
        guard let (fill, leader) = test.lead("key") else { return fail("nobody leads") }
        let (fast, slow) = readers(of: fill, in: test)
        test.loop.perform {
            // The one whose request it is takes its head and no more.
            leader.limit = 0
            _ = fill.next(leader)
        }
        let body = pattern(3_000_000, seed: 1)
        for start in stride(from: 0, to: body.count, by: 50_000) {
            let piece = Array(body[start..<start + 50_000])
            #expect(test.loop.perform { fill.append(piece.span) } == .room)
            test.loop.perform {}
        }
        #expect(fill.state.withLock { $0.chunks.count } <= 6)
        // The fastest leaves: then it waits for who is left.
        test.loop.perform {
            fast.limit = 0
            fill.detach(fast)
        }
        #expect(test.loop.perform { fill.append(pattern(50_000, seed: 2).span) } == .blocked)
        test.loop.perform {
            leader.limit = .max
            leader.follow(fill)
        }
        leader.wait()
        guard case .behind? = test.loop.perform({ leader.ending }) else { return fail("not behind") }
        #expect(test.store.counters.fallenBehind.load(ordering: .relaxed) == 1)
        test.loop.perform {
            slow.limit = .max
            slow.take()
        }
        slow.wait()
        #expect(fill.state.withLock { !$0.isLeaderBlocked })
        #expect(test.loop.perform { fill.append([1].span) } == .unwanted)
        #expect(test.loop.perform { fast.body } == body)
    }

    @Test func aReaderThatIsLateForAMomentIsWaitedFor() throws {
        let test = try TestStore {
            $0.largestBody = 100_000
            $0.fillWindow = 64 << 10
            $0.readerPatience = 600_000
        }
        guard let (fill, leader) = test.lead("key") else { return fail("nobody leads") }
        let (fast, slow) = readers(of: fill, in: test)
        var body: [UInt8] = []
        for round in 0..<8 as Range<UInt64> {
            // Both have taken all there was; then one takes nothing, until the download waits for it.
            var room = FillRoom.room
            while room == .room, body.count < 10_000_000 {
                let piece = pattern(50_000, seed: round)
                body += piece
                room = test.loop.perform { fill.append(piece.span) }
                test.loop.perform {}
            }
            #expect(room == .blocked)
            let sent = body.count
            #expect(test.loop.perform { fast.body.count } == sent)
            test.loop.perform {
                slow.limit = sent
                slow.take()
            }
            leader.wait()
            #expect(test.loop.perform { slow.body.count } == sent)
        }
        test.loop.perform {
            slow.limit = .max
            fill.complete()
            slow.take()
        }
        slow.wait()
        #expect(test.loop.perform { slow.body } == body)
        #expect(test.store.counters.fallenBehind.load(ordering: .relaxed) == 0)
    }

    @Test func theSlowestIsWaitedForSoLongInSumAndNoLonger() {
        var pace = FillPace()
        func waits(_ lag: Int, _ now: UInt64) -> Bool { pace.waits(lag: lag, limit: 100, patience: 50, now: now) }
        #expect(!waits(49, 1_000))
        #expect(waits(50, 1_000))
        #expect(waits(26, 1_020))
        #expect(!waits(25, 1_030))
        // Thirty are used up.
        #expect(waits(90, 5_000))
        #expect(waits(90, 5_019))
        #expect(!waits(90, 5_020))
        #expect(!waits(100, 9_000))
        var due = FillPace()
        let steps = [FillPace.step - 1, FillPace.step, 2 * FillPace.step - 1].map { due.isDue($0, limit: 4 << 20) }
        #expect(steps == [false, true, false])
        #expect([999, 1_000].map { pace.isDue($0, limit: 8_000) } == [false, true])
    }

    @Test func whoReadsFurthestIsKnownWhoeverLeaves() throws {
        let loop = try Loop(index: 0)
        var state = FillState()
        state.received = 100_000
        let readers = (0..<100).map { _ in CacheReader(on: loop) }
        #expect(state.unread() == 0)
        for (index, reader) in readers.enumerated() {
            state.attach(reader)
            state.took(index * 10, reader)
            state.took(index, reader)
            #expect(state.unread() == 100_000 - index * 11)
        }
        for index in (0..<100).reversed() {
            #expect(state.unread() == 100_000 - index * 11)
            state.detach(readers[index])
        }
        #expect(state.unread() == 0)
    }

    @Test func aListOfReadersHoldsEachOnceInWhateverOrderTheyComeAndGo() throws {
        let loop = try Loop(index: 0)
        let readers = (0..<50).map { _ in CacheReader(on: loop) }
        var lists = [ReaderList(.reading), ReaderList(.waiting)]
        var model: [Set<ObjectIdentifier>] = [[], []]
        var random = UInt64(7)
        for _ in 0..<20_000 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let reader = readers[Int(random >> 40) % readers.count]
            let list = Int(random >> 33) & 1
            if random >> 63 == 0 {
                lists[list].insert(reader)
                model[list].insert(ObjectIdentifier(reader))
            } else {
                #expect(lists[list].remove(reader) == (model[list].remove(ObjectIdentifier(reader)) != nil))
            }
            #expect(lists[list].contains(reader) == model[list].contains(ObjectIdentifier(reader)))
            #expect(lists[list].members.count == model[list].count)
        }
        for list in 0..<2 {
            #expect(Set(lists[list].takeAll().map { ObjectIdentifier($0) }) == model[list])
            #expect(readers.allSatisfy { !lists[list].contains($0) })
        }
    }

    /// With work that grows with the square of the readers this would take minutes.
    @Test func aCrowdOfReadersComesWaitsAndGoes() throws {
        let test = try TestStore()
        guard let (fill, _) = test.lead("key") else { return fail("nobody leads") }
        let readers = (0..<100_000).map { _ in CacheReader(on: test.loop) }
        let store = test.store
        test.loop.perform {
            for reader in readers { _ = store.join(id("key"), key: bytes("key"), as: reader) }
            for reader in readers { _ = fill.next(reader) }
            fill.begin(description())
            for reader in readers {
                _ = fill.next(reader)
                _ = fill.next(reader)
            }
            for reader in readers { fill.detach(reader) }
        }
        #expect(!fill.isRead)
        test.loop.perform { fill.leave() }
    }

    @Test func aDiskThatHangsHoldsNoMoreThanItsShare() throws {
        let test = try TestStore {
            $0.queueLimit = 50
            $0.fillMemory = 4 << 20
        }
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        test.put("stored", pattern(600_000, seed: 1))
        #expect(test.get("stored") != nil)
        guard
            case .file(let file) = test.loop.perform({ [store = test.store, loop = test.loop] in
                store.look(id("stored"), key: "stored".utf8Span.span, now: loop.milliseconds)
            })
        else { return fail("not a file") }
        let disk = BusyDisk(test)
        let store = test.store
        let body = pattern(100_000, seed: 2)
        for number in 0..<300 {
            guard let (fill, _) = test.lead("object \(number)") else { return fail("nobody leads") }
            let reader = TestReader(on: test.loop)
            test.loop.perform {
                guard case .follow = store.join(id("object \(number)"), key: bytes("object \(number)"), as: reader)
                else {
                    return fail("somebody else leads")
                }
                fill.begin(description(number % 2 == 0 ? body.count : nil))
                reader.follow(fill)
                _ = fill.append(body.span)
                fill.complete()
            }
            reader.wait()
            #expect(test.loop.perform { reader.body } == body)
            store.forget(id("object \(number)"))
        }
        #expect(store.threads.waiting(.writing) <= 50)
        #expect(store.fillMemory.used <= 4 << 20 + 200_000)
        let reader = TestReader(on: test.loop)
        let taken = test.loop.perform {
            (0..<200).count { _ in file.readSoon(0, into: Block(capacity: 64 << 10), for: reader) }
        }
        #expect(taken == 50)
        #expect(store.counters.refusals.load(ordering: .relaxed) >= 400)
        // Purges, removals and descriptors that were closed: few jobs each, however many there were.
        #expect(store.threads.waiting(.keeping) <= 10)
        disk.end()
        eventually("all is over") { (0..<300).allSatisfy { !store.fills.contains(id("object \($0)")) } }
        eventually("no memory is held") { store.fillMemory.used == 0 }
        test.put("later", [1])
        #expect(test.get("later")?.body == [1])
    }
}
