// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dispatch
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

@Suite struct RestartTests {
    private func walked(_ test: TestStore) {
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
    }

    @Test func aRestartServesWhatTheLastRunStored() throws {
        let test = try TestStore()
        for index in 0..<50 {
            test.put("object \(index)", pattern(index * 3_000, seed: UInt64(index)), word: UInt64(index))
        }
        test.store.forget(id("object 7"))
        eventually("forgotten") { !test.store.index.contains(id("object 7")) }
        let bytesBefore = test.store.counters.diskBytes.load(ordering: .relaxed)
        try test.restart()
        // At once, whether it is known already or asked of the disk.
        #expect(test.get("object 3")?.body == pattern(9_000, seed: 3))
        walked(test)
        for index in 0..<50 where index != 7 {
            let found = test.get("object \(index)")
            #expect(found?.body == pattern(index * 3_000, seed: UInt64(index)))
            #expect(found?.word == UInt64(index))
        }
        #expect(test.get("object 7") == nil)
        #expect(test.store.index.count == 49)
        let bytesAfter = test.store.counters.diskBytes.load(ordering: .relaxed)
        #expect(abs(bytesAfter - bytesBefore) <= 20 * IndexJournal.recordLength)
    }

    @Test func aJournalCutAnywhereOrMissingOrDamagedCostsNothing() throws {
        let test = try TestStore()
        for index in 0..<2 { test.put("object \(index)", pattern(1000, seed: UInt64(index))) }
        try test.restart()
        walked(test)
        test.store.stop()
        let journal = contents(test.directory + "/journal")
        #expect(journal.count == 2 * IndexJournal.recordLength)
        var states = (110...journal.count).map { Array(journal.prefix($0)) } + [[], [0]]
        for index in stride(from: 0, to: journal.count, by: 7) {
            var damaged = journal
            damaged[index] ^= 0x20
            states.append(damaged)
        }
        states.append(pattern(5_000, seed: 9))
        for (number, state) in states.enumerated() {
            overwrite(test.directory + "/journal", state)
            test.store = try ObjectStore(test.options)
            walked(test)
            #expect(test.store.index.count == 2, "state \(number)")
            for index in 0..<2 {
                #expect(test.openIt("object \(index)")?.body == pattern(1000, seed: UInt64(index)), "state \(number)")
            }
            test.store.stop()
        }
        test.store = try ObjectStore(test.options)
    }

    @Test func whatTheJournalHasWrongIsPutRight() throws {
        let test = try TestStore()
        for key in ["missing", "orphan", "kept"] { test.put(key, pattern(5_000, seed: 1)) }
        let orphan = contents(test.path(id("orphan")))
        let garbage = ObjectID(key: CacheHash(high: id("kept").key.high, low: 1))
        test.store.forget(id("orphan"))
        eventually("forgotten") { !test.store.index.contains(id("orphan")) }
        try test.restart {
            unsafe unlink(test.path(id("missing")))
            overwrite(test.path(id("orphan")), orphan)
            overwrite(test.path(garbage), [1, 2, 3])
            overwrite(test.directory + "/tmp/00000000000000ff", [1, 2, 3])
        }
        #expect(TemporaryFolder.names(test.directory + "/tmp") == [])
        walked(test)
        #expect(test.store.index.count == 2)
        #expect(!test.store.index.contains(id("missing")))
        #expect(test.get("orphan")?.body == pattern(5_000, seed: 1))
        #expect(test.get("kept")?.body == pattern(5_000, seed: 1))
        unsafe #expect(access(test.path(garbage), F_OK) != 0)
        // Nothing but what rounds the small files up to blocks.
        let counted = test.store.counters.diskBytes.load(ordering: .relaxed)
        #expect(counted - test.folder.diskUsage >= 0)
        #expect(counted - test.folder.diskUsage <= ObjectStore.fixedBytes)
    }

    @Test func aJournalOfManyChangesIsWrittenAnew() throws {
        let test = try TestStore(diskBytes: 3 << 20)
        let store = test.store
        for index in 0..<6_000 {
            guard let (fill, _) = test.lead("object \(index)") else { return fail("nobody leads") }
            test.loop.perform {
                fill.begin(ObjectDescription(metadata: bytes("head"), record: CacheRecord()))
                _ = fill.append([UInt8(truncatingIfNeeded: index)].span)
                fill.complete()
            }
            if index % 100 == 99 {
                eventually("stored") { store.counters.stores.load(ordering: .relaxed) == index + 1 }
            }
        }
        #expect(store.counters.evictions.load(ordering: .relaxed) > 4_500)
        #expect(test.store.journal.map { $0.length < 7_000 * IndexJournal.recordLength } == true)
        #expect(test.folder.diskUsage <= 3 << 20)
        #expect(test.get("object 5999")?.body == [UInt8(truncatingIfNeeded: 5999)])
    }

    @Test func aLowerCapIsKeptAtStart() throws {
        let test = try TestStore(diskBytes: 16 << 20)
        for index in 0..<100 { test.put("object \(index)", pattern(100_000, seed: UInt64(index))) }
        try test.restart { test.options.diskBytes = 4 << 20 }
        walked(test)
        #expect(test.folder.diskUsage <= 4 << 20)
        #expect(test.store.index.count > 10)
    }

    // MARK: Purges

    private static let scopes: [CacheScope] = [
        CacheScope(.host, "a.example".utf8Span.span), CacheScope(.prefix, "a.example/img/".utf8Span.span),
        CacheScope(.url, "a.example/img/x.png".utf8Span.span), CacheScope(.tag, "a.example".utf8Span.span),
    ]

    @Test func eachKindOfPurgeCountsAtOnceAndSurvivesARestart() throws {
        let test = try TestStore()
        for scope in Self.scopes.map(Optional.some) + [nil] {
            let others = Self.scopes.filter { $0 != scope }
            test.put("purged", pattern(100, seed: 1), scopes: Self.scopes)
            test.put("purged large", pattern(500_000, seed: 1), scopes: Self.scopes)
            test.put("kept", pattern(100, seed: 2), scopes: others)
            #expect(test.get("purged large") != nil)
            let written = DispatchSemaphore(value: 0)
            test.store.purge(scope, then: (test.loop, { if $0 { written.signal() } }))
            for isRestarted in [false, true] {
                if isRestarted {
                    #expect(written.wait(timeout: .now() + 30) == .success)
                    try test.restart()
                }
                for key in ["purged", "purged large"] {
                    #expect(test.get(key) == nil)
                    #expect(test.openIt(key) == nil)
                }
                #expect((test.get("kept") != nil) == (scope != nil))
            }
            test.put("purged", pattern(100, seed: 3), scopes: Self.scopes)
            #expect(test.get("purged")?.body == pattern(100, seed: 3))
            test.store.forget(id("purged"))
            test.store.forget(id("kept"))
        }
    }

    @Test func aDownloadThatBeganBeforeAPurgeIsNotServedAfterIt() throws {
        let test = try TestStore()
        guard let (fill, _) = test.lead("key") else { return fail("nobody leads") }
        test.loop.perform {
            fill.begin(ObjectDescription(metadata: bytes("head"), record: CacheRecord(), scopes: [Self.scopes[0]]))
            _ = fill.append([1, 2, 3].span)
        }
        test.store.purge(Self.scopes[0])
        // A new request does not follow it.
        guard let (second, _) = test.lead("key") else { return fail("follows what was purged") }
        test.loop.perform { fill.complete() }
        eventually("the end") { fill.state.withLock { !$0.isWriting } }
        #expect(test.openIt("key") == nil)
        test.loop.perform { second.leave() }
    }

    @Test func onlyAPurgeOfItsOwnScopesKeepsOthersFromADownload() throws {
        let test = try TestStore()
        let (url, tag) = (Self.scopes[2], Self.scopes[3])
        let otherURL = CacheScope(.url, "a.example/other".utf8Span.span)
        let otherTag = CacheScope(.tag, "other".utf8Span.span)
        for hasHead in [false, true] {
            // Before the head nobody knows its tags.
            for (purged, isHit) in [(otherURL, false), (url, true), (tag, true), (otherTag, !hasHead), (nil, true)] {
                guard let (fill, _) = test.lead("key", scopes: [url]) else { return fail("nobody leads") }
                if hasHead {
                    let description = ObjectDescription(
                        metadata: bytes("head"), record: CacheRecord(), scopes: [url, tag])
                    test.loop.perform { fill.begin(description) }
                }
                test.store.purge(purged)
                let second = test.lead("key", scopes: [url])
                #expect((second != nil) == isHit)
                test.loop.perform {
                    fill.leave()
                    second?.0.leave()
                }
            }
        }
    }

    @Test func whatAKeyBelongsToIsAskedForAfterAPurgeOnly() throws {
        let test = try TestStore()
        guard let (fill, _) = test.lead("key") else { return fail("nobody leads") }
        for isPurged in [false, true] {
            if isPurged { test.store.purge(Self.scopes[0]) }
            let reader = TestReader(on: test.loop)
            let asked = test.loop.perform { [store = test.store] in
                var asked = false
                _ = store.join(id("key"), key: bytes("key"), as: reader) {
                    asked = true
                    return []
                }
                return asked
            }
            #expect(asked == isPurged)
        }
        test.loop.perform { fill.leave() }
    }

    @Test func aPurgeHitsWhatIsStoredUnderAnotherNameThanWasAskedFor() throws {
        let test = try TestStore()
        for isPurged in [true, false] {
            guard let (first, _) = test.lead("key") else { return fail("nobody leads") }
            if isPurged { test.store.purge(Self.scopes[0]) }
            // The head has come, and the response varies.
            let reader = TestReader(on: test.loop)
            let joined = test.loop.perform { [store = test.store] in
                store.join(id("key", variant: 1), key: bytes("key"), as: reader, after: first) { [] }
            }
            guard case .lead(let second) = joined else { return fail("somebody else leads") }
            #expect(second.generation == first.generation)
            test.loop.perform {
                first.refuse()
                second.begin(
                    ObjectDescription(metadata: bytes("head"), record: CacheRecord(), scopes: [Self.scopes[0]]))
                _ = second.append([1, 2, 3].span)
                second.complete()
            }
            eventually("the end") { !test.store.fills.contains(second) }
            #expect((test.openIt("key", variant: 1) == nil) == isPurged)
        }
    }

    @Test func aLostOrDamagedListOfPurgesPurgesEverything() throws {
        for isLost in [true, false] {
            let test = try TestStore()
            test.put("key", [1])
            try test.restart {
                let path = test.directory + "/purges"
                var list = contents(path)
                list[9] ^= 1
                if isLost { unsafe unlink(path) } else { overwrite(path, list) }
            }
            #expect(test.get("key") == nil)
            test.put("key", [2])
            try test.restart()
            #expect(test.get("key")?.body == [2])
        }
    }

    @Test func tooManyPurgesPurgeTooMuchNeverTooLittle() {
        var table = PurgeTable()
        var generations: [UInt64] = []
        for index in 0..<10_000 as Range<UInt64> {
            generations.append(table.purge(CacheScope(hash: index + 1), now: 5))
        }
        #expect(table.entries.count <= PurgeTable.limit + 1)
        for index in stride(from: 0, to: 10_000, by: 97) {
            #expect(table.isPurged(generations[index] - 1, scopes: 1) { _ in CacheScope(hash: UInt64(index) + 1) })
            #expect(!table.isPurged(table.latest, scopes: 1) { _ in CacheScope(hash: UInt64(index) + 1) })
        }
        #expect(!table.isPurged(generations[9_000], scopes: 1) { _ in CacheScope(hash: 77_777) })
    }
}
