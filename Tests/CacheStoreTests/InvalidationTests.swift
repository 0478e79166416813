// SPDX-License-Identifier: Apache-2.0
// What an unsafe request makes invalid is removed, and nothing else is.

import Bytes
import Engine
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

@Suite struct InvalidationTests {
    private static func host(_ name: String) -> CacheScope { CacheScope(.host, name.utf8Span.span) }
    private static func url(_ key: String) -> CacheScope { CacheScope(.url, key.utf8Span.span) }
    private let here = host("here")

    private func store(_ test: TestStore, _ key: String, _ body: [UInt8] = [1], variant: UInt64 = 0) {
        test.put(key, body, variant: variant, scopes: [Self.url(key), here])
    }

    private func invalidate(_ test: TestStore, _ key: String) {
        test.store.invalidate(id(key).key, url: Self.url(key), in: here)
    }

    private func isOver(_ test: TestStore) -> Bool { test.store.purges.invalidCount == 0 }

    @Test("is not found at any moment while it is being removed, nor when that is over and forgotten")
    func atAnyMoment() throws {
        let test = try TestStore { $0.path = nil }
        for round in 0..<4_000 {
            store(test, "invalid", [UInt8(truncatingIfNeeded: round)])
            invalidate(test, "invalid")
            for _ in 0..<3 { #expect(test.get("invalid") == nil, "round \(round)") }
        }
    }

    @Test(arguments: [true, false]) func allVariantsAreRemovedAtOnceAndForGood(_ isOnDisk: Bool) throws {
        let test = try TestStore { if !isOnDisk { $0.path = nil } }
        for variant in 0..<4 as Range<UInt64> {
            store(test, "invalid", pattern(variant == 3 && isOnDisk ? 600_000 : 100, seed: variant), variant: variant)
        }
        store(test, "valid", [2])
        #expect(test.get("invalid", variant: 3) != nil)
        invalidate(test, "invalid")
        for variant in 0..<4 as Range<UInt64> { #expect(test.get("invalid", variant: variant) == nil) }
        eventually("removed") { isOver(test) }
        for variant in 0..<4 as Range<UInt64> {
            #expect(!test.store.contains(id("invalid", variant: variant)))
            #expect(test.openIt("invalid", variant: variant) == nil)
        }
        #expect(test.get("valid")?.body == [2])
        guard isOnDisk else { return }
        try test.restart()
        #expect(test.get("invalid") == nil)
        #expect(test.get("valid")?.body == [2])
    }

    @Test(arguments: [true, false]) func whatIsStoredAfterwardsStays(_ isOnDisk: Bool) throws {
        let test = try TestStore { if !isOnDisk { $0.path = nil } }
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        for round in 0..<50 as Range<UInt8> {
            store(test, "key", [round])
            #expect(test.get("key")?.body == [round])
            invalidate(test, "key")
            #expect(test.get("key") == nil)
            store(test, "key", [round + 100])
            eventually("removed") { isOver(test) }
            #expect(test.get("key")?.body == [round + 100])
        }
    }

    @Test func itCountsBeforeADiskThatHangsHasRemovedAnything() throws {
        let test = try TestStore()
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        store(test, "key")
        let disk = BusyDisk(test)
        invalidate(test, "key")
        let answer = test.loop.perform { [store = test.store, loop = test.loop] in
            store.look(id("key"), key: "key".utf8Span.span, now: loop.milliseconds)
        }
        guard case .onDisk = answer else { return fail("still in memory") }
        #expect(!isOver(test))
        disk.end()
        eventually("removed") { isOver(test) }
        #expect(test.openIt("key") == nil)
    }

    @Test func whatIsKnownToTheFolderOnlyIsRemovedToo() throws {
        let test = try TestStore()
        store(test, "key")
        store(test, "other")
        try test.restart { overwrite(test.directory + "/journal", []) }
        // Perhaps before the walk has come to it, perhaps after.
        invalidate(test, "key")
        eventually("removed") { isOver(test) }
        #expect(test.openIt("key") == nil)
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        #expect(!test.store.contains(id("key")))
        #expect(test.get("other")?.body == [1])
    }

    @Test func aDownloadFromBeforeIsReadToItsEndAndNeitherJoinedNorStored() throws {
        let test = try TestStore()
        for hasVariant in [false, true] {
            guard let (first, _) = test.lead("key") else { return fail("nobody leads") }
            let reader = TestReader(on: test.loop)
            let description = ObjectDescription(
                metadata: bytes("head"), record: CacheRecord(), scopes: [Self.url("key"), here])
            var fill = first
            if hasVariant {
                // As when the head says that the response varies: the one under the new name is as old as the first.
                invalidate(test, "key")
                let leader = TestReader(on: test.loop)
                let joined = test.loop.perform { [store = test.store] in
                    store.join(id("key", variant: 1), key: bytes("key"), as: leader, after: first) { [] }
                }
                guard case .lead(let second) = joined else { return fail("somebody else leads") }
                first.refuse()
                fill = second
            }
            let (open, store) = (fill, test.store)
            test.loop.perform {
                open.begin(description)
                _ = open.append([1, 2].span)
                if !hasVariant, case .follow = store.join(id("key"), key: bytes("key"), as: reader) {
                    reader.follow(open)
                }
            }
            if !hasVariant { invalidate(test, "key") }
            eventually("nothing is left to remove") { isOver(test) }
            guard let (next, _) = test.lead("key", variant: hasVariant ? 1 : 0) else {
                return fail("joins what is invalid")
            }
            test.loop.perform {
                next.leave()
                _ = open.append([3].span)
                open.complete()
            }
            eventually("the end") { open.state.withLock { !$0.isWriting } }
            if !hasVariant {
                reader.wait()
                #expect(test.loop.perform { reader.body } == [1, 2, 3])
            }
            #expect(test.openIt("key", variant: hasVariant ? 1 : 0) == nil)
            #expect(TemporaryFolder.names(test.directory + "/tmp").isEmpty)
        }
    }

    @Test func manyOnOneHostTakeNothingFromOthers() throws {
        let test = try TestStore { $0.path = nil }
        store(test, "valid", [2])
        for index in 0..<3 * UInt64(PurgeTable.limit) {
            test.store.invalidate(
                CacheHash(high: index, low: index), url: CacheScope(hash: index + 1), in: Self.host("hostile"))
            #expect(test.store.purges.invalidCount <= InvalidationTable.limit + 1)
        }
        eventually("removed") { isOver(test) }
        #expect(test.get("valid")?.body == [2])
    }

    // MARK: The tables

    private func entry(_ number: UInt64, _ host: String, _ generation: UInt64) -> InvalidationTable.Entry {
        .init(key: CacheHash(high: number, low: number), host: Self.host(host), generation: generation)
    }

    @Test func whoFillsTheTableOfWhatIsRemovedIsPurgedWholeAndNobodyElse() {
        var table = InvalidationTable()
        #expect(table.insert(Self.url("other"), entry(1, "other", 1)).isEmpty)
        var purged: [(host: CacheScope, generation: UInt64)] = []
        for number in 0...UInt64(InvalidationTable.limit) {
            purged += table.insert(CacheScope(hash: number + 1), entry(number, "hostile", number + 2))
        }
        #expect(purged.map(\.host) == [Self.host("hostile")])
        // Everything that was waiting is covered.
        #expect((purged.first?.generation ?? 0) >= UInt64(InvalidationTable.limit))
        #expect(table.isInvalid(Self.url("other"), since: 0))
        #expect(table.take().map(\.entry.host).filter { $0 == Self.host("other") }.count == 1)
    }

    @Test func hostsWithOneURLEachWaitForTheirTurn() {
        var table = InvalidationTable()
        for number in 0..<UInt64(InvalidationTable.limit) + 1_000 {
            #expect(table.insert(CacheScope(hash: number + 1), entry(number, "\(number)", number + 1)).isEmpty)
        }
        let taken = table.take()
        #expect(taken.count == InvalidationTable.limit + 1_000)
        for (url, entry) in taken { table.remove(url, entry.generation) }
        #expect(table.isEmpty)
    }

    @Test func whatIsMadeInvalidAgainStaysUntilThatIsRemoved() {
        var table = InvalidationTable()
        _ = table.insert(Self.url("a"), entry(1, "here", 5))
        let first = table.take()
        _ = table.insert(Self.url("a"), entry(1, "here", 9))
        for (url, entry) in first { table.remove(url, entry.generation) }
        #expect(table.isInvalid(Self.url("a"), since: 8))
        #expect(!table.isInvalid(Self.url("a"), since: 9))
        for (url, entry) in table.take() { table.remove(url, entry.generation) }
        #expect(table.isEmpty)
    }

    @Test func tooManyPurgesOfOneHostPurgeThatHost() {
        var table = PurgeTable()
        let kept = table.purge(Self.url("kept"), in: Self.host("modest"), now: 1)
        for index in 0..<UInt64(2 * PurgeTable.limit) {
            _ = table.purge(CacheScope(hash: index + 1), in: Self.host("busy"), now: 1)
        }
        #expect(table.floor == 0)
        #expect(table.entries.count <= PurgeTable.limit + 1)
        func isPurged(_ scopes: [CacheScope], since generation: UInt64) -> Bool {
            table.isPurged(generation, scopes: scopes.count) { scopes[$0] }
        }
        #expect(isPurged([CacheScope(hash: 77_777), Self.host("busy")], since: kept))
        #expect(isPurged([Self.url("kept"), Self.host("modest")], since: kept - 1))
        #expect(!isPurged([Self.url("other"), Self.host("modest")], since: 0))
        #expect(!isPurged([Self.url("other"), Self.host("third")], since: 0))
        // What is read from the file again says the same.
        var again = PurgeTable()
        for (scope, generation) in table.entries { again.apply(scope, generation) }
        #expect(again.floor == 0)
        #expect(again.entries.count == table.entries.count)
    }
}
