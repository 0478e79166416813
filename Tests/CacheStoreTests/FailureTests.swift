// SPDX-License-Identifier: Apache-2.0
// What the system refuses says nothing of what is stored: it is a miss, it is counted and told of, and it is tried again.

import Bytes
import CLinux
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

/// Makes every write to an open file fail, as a disk that is lost does: its descriptor is put in place of one for reading only.
private func breakWrites(to path: String) {
    for name in TemporaryFolder.names("/proc/self/fd") {
        var target = [CChar](repeating: 0, count: 4096)
        guard let number = Int32(name), unsafe readlink("/proc/self/fd/\(name)", &target, 4095) > 0,
            String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) == path
        else { continue }
        let reading = unsafe open(path, O_RDONLY | O_CLOEXEC)
        #expect(dup2(reading, number) == number)
        close(reading)
    }
}

@Suite struct FailureTests {
    @Test func withoutDescriptorsWhatIsStoredIsAMissAndStays() async {
        // In a process of its own, since the limit is the process's.
        await #expect(processExitsWith: .success) {
            let test = try TestStore()
            for key in ["small", "large"] { test.put(key, pattern(key == "small" ? 100 : 500_000, seed: 1)) }
            try test.restart()
            eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
            test.store.objects.removeAll()
            let counted = test.store.counters.diskBytes.load(ordering: .relaxed)
            var limit = rlimit()
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let before = limit.rlim_cur
            for isWithout in [true, false] {
                limit.rlim_cur = isWithout ? 3 : before
                #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
                for key in ["small", "large"] {
                    let found = test.openIt(key)
                    #expect((found == nil) == isWithout)
                    #expect(test.store.index.contains(id(key)))
                }
            }
            #expect(test.store.counters.corrupt.load(ordering: .relaxed) == 0)
            #expect(test.store.counters.diskErrors.load(ordering: .relaxed) == 2)
            #expect(test.store.counters.diskBytes.load(ordering: .relaxed) == counted)
        }
    }

    @Test func aWalkThatCannotListTheFoldersForgetsNothing() async {
        await #expect(processExitsWith: .success) {
            let test = try TestStore()
            for index in 0..<20 { test.put("object \(index)", [1]) }
            test.store.stop()
            var limit = rlimit()
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let before = limit.rlim_cur
            let store = try ObjectStore(test.options)
            // Sooner or later than the walk: whatever it finds, or does not, is there afterwards.
            limit.rlim_cur = 3
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            eventually("the walk") { store.isIndexComplete.load(ordering: .relaxed) }
            #expect(store.index.count == 20)
            limit.rlim_cur = before
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            test.store = store
            for index in 0..<20 { #expect(test.openIt("object \(index)") != nil) }
        }
    }

    @Test func aPurgeThatCannotBeWrittenIsToldOfTriedAgainAndNeverForgotten() throws {
        let told = Lock<[String]>([])
        let test = try TestStore()
        try test.reopen { sentence in told.withLock { $0.append(sentence) } }
        let scope = CacheScope(.url, "purged".utf8Span.span)
        test.put("purged", [1], scopes: [scope])
        test.put("kept", [2])
        let path = test.directory
        // Neither can the file be appended to, nor another be made.
        breakWrites(to: path + "/purges")
        unsafe mkdir(path + "/purges.new", 0o700)
        let outcome = Lock<Bool?>(nil)
        test.store.purge(scope, then: (test.loop, { isWritten in outcome.withLock { $0 = isWritten } }))
        eventually("an answer") { outcome.withLock { $0 } != nil }
        #expect(outcome.withLock { $0 } == false)
        #expect(test.get("purged") == nil)
        #expect(told.withLock { $0 }.contains { $0.contains("the list of purges cannot be written") })
        #expect(test.store.counters.diskErrors.load(ordering: .relaxed) > 0)
        // A process that is killed now must not bring it back.
        unsafe #expect(access(path + "/purges", F_OK) != 0)

        unsafe rmdir(path + "/purges.new")
        eventually("it is written") { test.store.purges.isSound }
        eventually("that is told") { told.withLock { $0 }.contains { $0.contains("all purges are written down") } }
        unsafe #expect(access(path + "/purges", F_OK) == 0)
        try test.restart()
        #expect(test.get("purged") == nil)
        #expect(test.get("kept")?.body == [2])
    }

    @Test func aRestartAfterAPurgeThatWasNeverWrittenPurgesEverything() throws {
        let test = try TestStore()
        let scope = CacheScope(.url, "purged".utf8Span.span)
        for key in ["purged", "other"] { test.put(key, [1], scopes: key == "purged" ? [scope] : []) }
        breakWrites(to: test.directory + "/purges")
        unsafe mkdir(test.directory + "/purges.new", 0o700)
        test.store.purge(scope)
        eventually("it fails") { !test.store.purges.isSound }
        try test.restart { unsafe rmdir(test.directory + "/purges.new") }
        #expect(test.get("purged") == nil)
        #expect(test.get("other") == nil)
    }

    @Test func aPurgeCountsAndIsAskedForWhileTheDiskHangs() throws {
        let test = try TestStore()
        let scope = CacheScope(.url, "purged".utf8Span.span)
        test.put("purged", [1], scopes: [scope])
        // As a disk thread does while `fdatasync` takes its time.
        test.store.purges.file.withLock { _ in
            test.store.purge(scope)
            let answer = test.loop.perform { [store = test.store] in
                store.look(id("purged"), key: "purged".utf8Span.span, now: 0)
            }
            if case .object = answer { fail("served what was purged") }
        }
        eventually("it is written") { contents(test.directory + "/purges").count == 2 * 24 }
    }

    @Test func purgesAreWrittenTogetherByOneJobHoweverManyThereAre() throws {
        let folder = TemporaryFolder()
        let path = folder.file("cache")
        for count in [1, 100, 5_000] as [UInt64] {
            let cache = try CacheFolder(path: path)
            let journal = PurgeJournal(cache, now: 1)
            _ = journal.rewrite()
            let before = contents(path + "/purges").count
            for number in 0..<count {
                #expect(journal.purge(CacheScope(hash: count + number), now: 1) == (number == 0))
            }
            let growth = journal.writePending().written.growth
            #expect(contents(path + "/purges").count == before + growth)
            if count == 100 { #expect(growth == 100 * 24) }
            #expect(!journal.endWriting())
            // Another job for what comes while the first writes.
            #expect(journal.purge(CacheScope(hash: 1), now: 1))
            _ = journal.writePending()
            #expect(!journal.purge(CacheScope(hash: 2), now: 1))
            #expect(journal.endWriting())
            _ = journal.writePending()
            let latest = journal.latest
            let next = PurgeJournal(cache, now: 1)
            #expect(next.latest == latest)
            for number in 0..<count {
                let purged = ObjectDescription(
                    metadata: bytes(""), record: CacheRecord(), scopes: [CacheScope(hash: count + number)])
                #expect(next.isPurged(purged, since: 0))
            }
            cache.unlock()
        }
    }

    @Test func purgesThatWaitAtTheEndAreWrittenDown() throws {
        let test = try TestStore()
        let scopes = (0..<200).map { CacheScope(.url, "\($0)".utf8Span.span) }
        for (number, scope) in scopes.enumerated() where number % 50 == 0 {
            test.put("\(number)", [1], scopes: [scope])
        }
        for scope in scopes { test.store.purge(scope) }
        try test.restart()
        for number in stride(from: 0, to: 200, by: 50) { #expect(test.get("\(number)") == nil) }
    }

    @Test func theListOfPurgesIsWrittenAnewBeforeItGrowsLong() throws {
        let folder = TemporaryFolder()
        let journal = PurgeJournal(try CacheFolder(path: folder.file("cache")), now: 1, recordLimit: 20)
        var counted = journal.rewrite().growth
        for round in 0..<100 as Range<UInt64> {
            #expect(journal.purge(CacheScope(hash: round % 5 + 1), now: round))
            let written = journal.writePending().written
            #expect(!journal.endWriting())
            #expect(written.failure == nil)
            counted += written.growth
            #expect(contents(folder.file("cache/purges")).count == counted)
            #expect(counted <= 21 * 24)
        }
    }

    @Test func aJournalThatCannotBeWrittenIsWrittenAnew() throws {
        let test = try TestStore()
        for index in 0..<3 { test.put("before \(index)", [1]) }
        breakWrites(to: test.directory + "/journal")
        unsafe mkdir(test.directory + "/journal.new", 0o700)
        for index in 0..<3 { test.put("after \(index)", [2]) }
        test.store.forget(id("before 0"))
        eventually("forgotten") { !test.store.index.contains(id("before 0")) }
        #expect(test.store.journal?.isSound == false)
        #expect(test.store.counters.diskErrors.load(ordering: .relaxed) > 0)
        unsafe rmdir(test.directory + "/journal.new")
        eventually("it is sound again") { test.store.journal?.isSound == true }
        var known: Set<ObjectID> = []
        // As the next process reads it.
        IndexJournal(try #require(test.store.folder)).replay { kind, id, _, _ in
            if kind == .removed { known.remove(id) } else { known.insert(id) }
        }
        #expect(known == Set(["before 1", "before 2", "after 0", "after 1", "after 2"].map { id($0) }))
        let counted = test.store.counters.diskBytes.load(ordering: .relaxed)
        #expect(counted >= test.folder.diskUsage)
        #expect(counted <= test.folder.diskUsage + ObjectStore.fixedBytes)
    }

    @Test(arguments: [true, false]) func aFolderThatWasRemovedIsMadeAnew(_ isWhole: Bool) throws {
        let told = Lock<[String]>([])
        let test = try TestStore()
        try test.reopen { sentence in told.withLock { $0.append(sentence) } }
        for index in 0..<50 { test.put("before \(index)", pattern(10_000, seed: 1)) }
        let secret = test.store.secret
        #expect(secret.count == 16)
        #expect(contents(test.directory + "/secret") == secret)
        if isWhole {
            removeTree(test.directory)
        } else {
            for name in TemporaryFolder.names(test.directory) { removeTree("\(test.directory)/\(name)") }
        }
        // Whoever comes first finds out, and is not stored.
        test.put("first", [1])
        eventually("it is told") { told.withLock { $0 }.contains { $0.contains("made anew") } }
        eventually("what is gone is forgotten") { test.store.index.count == 0 }
        for index in 0..<50 { test.put("after \(index)", pattern(10_000, seed: UInt64(index))) }
        #expect(throws: CacheFolderError.self) { try ObjectStore(test.options) }
        for isRestarted in [false, true] {
            if isRestarted { try test.restart() }
            #expect(contents(test.directory + "/secret") == secret)
            #expect(test.store.secret == secret)
            for index in 0..<50 {
                #expect(test.openIt("after \(index)")?.body == pattern(10_000, seed: UInt64(index)))
                #expect(test.openIt("before \(index)") == nil)
            }
        }
        let counted = test.store.counters.diskBytes.load(ordering: .relaxed)
        #expect(counted - test.folder.diskUsage >= 0)
        #expect(counted - test.folder.diskUsage <= ObjectStore.fixedBytes + IndexJournal.recordLength * 200)
    }

    @Test func aFileThatIsOpenIsCountedUntilItIsClosed() throws {
        let test = try TestStore()
        let large = pattern(800_000, seed: 1)
        test.put("large", large)
        let counters = test.store.counters
        let before = counters.diskBytes.load(ordering: .relaxed)
        #expect(test.openIt("large")?.body == large)
        var reader: StoredFile?
        if case .file(let file)? = test.store.files.look(id("large")) { reader = file }
        #expect(reader?.length == large.count)
        test.store.forget(id("large"))
        eventually("the name is gone") { unsafe access(test.path(id("large")), F_OK) != 0 }
        eventually("forgotten") { !test.store.index.contains(id("large")) }
        #expect(counters.diskBytes.load(ordering: .relaxed) >= before)
        reader = nil
        eventually("its bytes are free") { counters.diskBytes.load(ordering: .relaxed) < before - 700_000 }
    }
}
