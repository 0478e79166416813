// SPDX-License-Identifier: Apache-2.0
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

/// Joins as one who follows, and begins to read.
private func follow(_ test: TestStore, _ key: String, on loop: Loop, limit: Int = .max) -> TestReader? {
    let reader = TestReader(on: loop)
    reader.limit = limit
    let store = test.store
    let isFollowing = loop.perform {
        guard case .follow(let fill) = store.join(id(key), key: bytes(key), as: reader) else { return false }
        reader.follow(fill)
        return true
    }
    return isFollowing ? reader : nil
}

@Suite struct FillTests {
    @Test func manyMissesMakeOneFillAndAllReadItWhateverTheirSpeed() throws {
        let test = try TestStore {
            $0.fillWindow = 128 << 10
        }
        let other = try Loop(index: 1)
        other.start()
        guard let (fill, leader) = test.lead("key") else { return fail("nobody leads") }
        let body = pattern(2_500_000, seed: 1)
        var readers: [TestReader] = []
        for index in 0..<20 {
            // Every third one stops after a few bytes, until the end.
            let limit = index % 3 == 0 ? 1_000 : Int.max
            guard let reader = follow(test, "key", on: index % 2 == 0 ? test.loop : other, limit: limit) else {
                return fail("a second leader")
            }
            readers.append(reader)
        }
        test.loop.perform { fill.begin(description(body.count)) }
        for reader in readers {
            eventually("the head") { reader.loop.perform { reader.description != nil } }
        }
        for start in stride(from: 0, to: body.count, by: 33_333) {
            let piece = Array(body[start..<min(body.count, start + 33_333)])
            if test.loop.perform({ fill.append(piece.span) }) == .blocked { leader.wait() }
        }
        // One that comes in the middle of it.
        guard let late = follow(test, "key", on: other) else { return fail("a second leader") }
        readers.append(late)
        test.loop.perform { fill.complete() }
        for (index, reader) in readers.enumerated() {
            if reader.limit != .max {
                reader.loop.perform {
                    reader.limit = .max
                    reader.take()
                }
            }
            reader.wait()
            #expect(reader.loop.perform { reader.body } == body, "reader \(index)")
            guard case .end? = reader.loop.perform({ reader.ending }) else { return fail("no end for \(index)") }
        }
        eventually("stored") { test.store.counters.stores.load(ordering: .relaxed) == 1 }
        #expect(test.get("key")?.body == body)
    }

    @Test func aLeaderThatLeavesHandsOverToThoseWhoHaveTakenNothing() throws {
        let test = try TestStore()
        guard let (fill, _) = test.lead("key"), let waiting = follow(test, "key", on: test.loop) else {
            return fail("nobody leads")
        }
        test.loop.perform { fill.leave() }
        waiting.wait()
        guard case .handOver? = test.loop.perform({ waiting.ending }) else { return fail("no hand-over") }
        guard let (second, _) = test.lead("key"), let begun = follow(test, "key", on: test.loop) else {
            return fail("nobody leads")
        }
        test.loop.perform {
            second.begin(description())
            _ = second.append(pattern(300_000, seed: 1).span)
        }
        eventually("bytes") { test.loop.perform { begun.body.count == 300_000 } }
        test.loop.perform { second.leave() }
        begun.wait()
        guard case .failed? = test.loop.perform({ begun.ending }) else { return fail("not failed") }
        eventually("no temporary file") { TemporaryFolder.names(test.directory + "/tmp").isEmpty }
        #expect(test.get("key") == nil)
    }

    @Test func aFailureAndARefusalReachEverybodyAtOnce() throws {
        let test = try TestStore()
        for isRefused in [false, true] {
            guard let (fill, _) = test.lead("key") else { return fail("nobody leads") }
            let readers = (0..<10).compactMap { _ in follow(test, "key", on: test.loop) }
            test.loop.perform { isRefused ? fill.refuse() : fill.fail() }
            for reader in readers {
                reader.wait()
                switch test.loop.perform({ reader.ending }) {
                case .released?: #expect(isRefused)
                case .failed?: #expect(!isRefused)
                default: fail("neither released nor failed")
                }
            }
            #expect(readers.count == 10)
        }
        #expect(test.lead("key") != nil)
    }

    @Test func aBodyOfAnotherLengthThanSaidIsNotStored() throws {
        let test = try TestStore()
        for count in [99, 101] {
            guard let (fill, _) = test.lead("key"), let reader = follow(test, "key", on: test.loop) else {
                return fail("nobody leads")
            }
            test.loop.perform {
                fill.begin(description(100))
                _ = fill.append(pattern(count, seed: 1).span)
                fill.complete()
            }
            reader.wait()
            guard case .failed? = test.loop.perform({ reader.ending }) else { return fail("not failed") }
        }
        #expect(test.get("key") == nil)
        #expect(test.store.counters.stores.load(ordering: .relaxed) == 0)
    }

    @Test func aRefreshedObjectKeepsItsBodyAndHasItsNewHead() throws {
        let test = try TestStore()
        let body = pattern(100_000, seed: 1)
        let large = pattern(700_000, seed: 2)
        test.put("key", body)
        test.put("large", large)
        for (round, metadata) in ["a longer head than before", "short", ""].enumerated() {
            for key in ["key", "large"] {
                guard let (fill, _) = test.lead(key), let reader = follow(test, key, on: test.loop),
                    let version = test.store.version(id(key))
                else { return fail("nobody leads") }
                var record = CacheRecord()
                record.words[0] = UInt64(round)
                let description = ObjectDescription(metadata: bytes(metadata), record: record)
                test.loop.perform { fill.refresh(description, of: version) }
                reader.wait()
                guard case .refreshed? = test.loop.perform({ reader.ending }) else { return fail("not refreshed") }
                for isRestarted in [false, true] {
                    if isRestarted { try test.restart() }
                    let found = test.get(key)
                    #expect(found?.body == (key == "key" ? body : large))
                    #expect(found?.metadata == metadata)
                    #expect(found?.word == UInt64(round))
                }
            }
        }
        #expect(test.store.counters.corrupt.load(ordering: .relaxed) == 0)
        #expect(TemporaryFolder.names(test.directory + "/tmp") == [])
        guard let (fill, _) = test.lead("unknown"), let reader = follow(test, "unknown", on: test.loop),
            let version = test.store.version(id("key"))
        else { return fail("nobody leads") }
        test.loop.perform { fill.refresh(description(), of: version) }
        reader.wait()
        guard case .released? = test.loop.perform({ reader.ending }) else { return fail("not released") }
    }

    @Test func aReaderWhoWaitsIsToldOnceHoweverMuchComes() throws {
        final class Counting: CacheReader, @unchecked Sendable {
            var told = 0
            override func fillProgressed() { told += 1 }
        }
        let test = try TestStore()
        let reader = Counting(on: test.loop)
        guard let (fill, _) = test.lead("key") else { return fail("nobody leads") }
        let store = test.store
        test.loop.perform {
            guard case .follow(let followed) = store.join(id("key"), key: bytes("key"), as: reader) else { return }
            _ = followed.next(reader)
            fill.begin(description())
            for _ in 0..<50 { _ = fill.append("x".utf8Span.span) }
        }
        test.loop.perform {}
        #expect(test.loop.perform { reader.told } == 1)
        test.loop.perform { fill.leave() }
    }

    @Test func aFillWhoseDiskFailsGoesOnForItsReadersAndIsNotStored() throws {
        let test = try TestStore()
        guard let (fill, _) = test.lead("key"), let reader = follow(test, "key", on: test.loop) else {
            return fail("nobody leads")
        }
        // The folder vanishes.
        removeTree(test.directory)
        let body = pattern(1_500_000, seed: 1)
        test.loop.perform { fill.begin(description(body.count)) }
        for start in stride(from: 0, to: body.count, by: 50_000) {
            let piece = Array(body[start..<start + 50_000])
            test.loop.perform { _ = fill.append(piece.span) }
        }
        test.loop.perform { fill.complete() }
        reader.wait()
        #expect(test.loop.perform { reader.body } == body)
        guard case .end? = test.loop.perform({ reader.ending }) else { return fail("no end") }
        eventually("the fill is over") { !test.store.fills.contains(fill) }
        #expect(test.store.counters.diskErrors.load(ordering: .relaxed) > 0)
        #expect(test.store.counters.stores.load(ordering: .relaxed) == 0)
        #expect(test.openIt("key") == nil)
    }

    @Test func aBodyTooLargeToStoreIsDeliveredAndItsLeaderNeverWaits() throws {
        let test = try TestStore {
            $0.largestBody = 1_000_000
            $0.fillWindow = 256 << 10
        }
        for hasLength in [true, false] {
            guard let (fill, _) = test.lead("key"), let reader = follow(test, "key", on: test.loop),
                let slow = follow(test, "key", on: test.loop, limit: 1000)
            else { return fail("nobody leads") }
            let body = pattern(4_000_000, seed: 1)
            test.loop.perform { fill.begin(description(hasLength ? body.count : nil)) }
            for start in stride(from: 0, to: body.count, by: 100_000) {
                let piece = Array(body[start..<start + 100_000])
                let room = test.loop.perform { fill.append(piece.span) }
                if room == .blocked { eventually("room") { fill.state.withLock { !$0.isLeaderBlocked } } }
                eventually("the reader keeps up") { test.loop.perform { reader.body.count == start + 100_000 } }
            }
            #expect(fill.state.withLock { $0.chunks.count } <= 20)
            test.loop.perform { fill.complete() }
            reader.wait()
            #expect(test.loop.perform { reader.body } == body)
            test.loop.perform {
                slow.limit = .max
                slow.take()
            }
            slow.wait()
            guard case .behind? = test.loop.perform({ slow.ending }) else { return fail("not behind") }
            #expect(test.get("key") == nil)
            eventually("no temporary file") { TemporaryFolder.names(test.directory + "/tmp").isEmpty }
        }
    }
}
