// SPDX-License-Identifier: Apache-2.0
import Bytes
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

@Suite struct FolderTests {
    @Test func aSecondOwnerIsToldWhoHasTheFolder() throws {
        let test = try TestStore()
        let error = #expect(throws: CacheFolderError.self) { try ObjectStore(test.options) }
        #expect(error == .inUse(path: test.directory, process: getpid()))
        #expect(error?.description == "the cache folder \(test.directory) is in use by process \(getpid())")
        test.store.stop()
        test.store = try ObjectStore(test.options)
    }

    @Test func aFileOrALinkOrAStrangersFolderIsRefused() throws {
        let folder = TemporaryFolder()
        overwrite(folder.path + "/file", [1])
        unsafe mkdir(folder.path + "/real", 0o700)
        unsafe symlink(folder.path + "/real", folder.path + "/link")
        for name in ["file", "link"] {
            let path = "\(folder.path)/\(name)"
            #expect(throws: CacheFolderError.notOurs(path: path)) {
                try ObjectStore(StoreOptions(path: path, diskBytes: 64 << 20))
            }
        }
        guard geteuid() == 0 else { return }
        unsafe chown(folder.path + "/real", 12345, 12345)
        #expect(throws: CacheFolderError.notOurs(path: folder.path + "/real")) {
            try ObjectStore(StoreOptions(path: folder.path + "/real", diskBytes: 64 << 20))
        }
    }

    @Test func nobodyElseMayReadWhateverTheUmask() throws {
        let old = umask(0)
        defer { umask(old) }
        let test = try TestStore()
        test.put("small", [1])
        test.put("large", pattern(500_000, seed: 1))
        test.store.purge(nil)
        guard let (fill, _) = test.lead("half") else { return fail("nobody leads") }
        test.loop.perform {
            fill.begin(ObjectDescription(metadata: bytes("head"), record: CacheRecord()))
            _ = fill.append(pattern(400_000, seed: 1).span)
        }
        eventually("a temporary file") { !TemporaryFolder.names(test.directory + "/tmp").isEmpty }
        try test.restart()
        #expect(test.folder.tree.count > 8)
        for (path, status) in test.folder.tree {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            #expect(status.st_mode & 0o7777 == (isFolder ? 0o700 : 0o600), "\(path)")
        }
    }

    @Test func aLooseFolderIsMadeTight() throws {
        let folder = TemporaryFolder()
        unsafe mkdir(folder.path + "/cache", 0o777)
        unsafe chmod(folder.path + "/cache", 0o777)
        let store = try ObjectStore(StoreOptions(path: folder.path + "/cache", diskBytes: 64 << 20))
        store.stop()
        var status = stat()
        unsafe #expect(stat(folder.path + "/cache", &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o700)
    }

    @Test func anotherFormatIsEmptiedOfOurFilesOnly() throws {
        let test = try TestStore()
        test.put("key", [1])
        let stranger = (test.path(id("key")) as String).split(separator: "/").dropLast().joined(separator: "/")
        try test.restart {
            overwrite("/\(stranger)/README", [1])
            overwrite(test.directory + "/version", Array("gateway cache 0\n".utf8))
        }
        #expect(test.get("key") == nil)
        unsafe #expect(access(test.path(id("key")), F_OK) != 0)
        unsafe #expect(access("/\(stranger)/README", F_OK) == 0)
        test.put("key", [2])
        try test.restart()
        #expect(test.get("key")?.body == [2])
    }

    @Test func namesOfFilesComeFromHashesOnly() {
        let object = ObjectID(key: CacheHash(high: 0xAB00_0000_0000_0001, low: 2))
        #expect(ObjectName.of(object) == "ab000000000000010000000000000002")
        #expect(ObjectName.read(ObjectName.of(object)) == object)
        let variant = ObjectID(key: object.key, variant: CacheHash(high: 0, low: .max))
        #expect(ObjectName.read(ObjectName.of(variant)) == variant)
        for name in [
            "", "README", "AB000000000000010000000000000002", "ab00000000000001000000000000000", "..",
            "g" + ObjectName.of(object).dropFirst(),
            ObjectName.of(object) + "-" + String(repeating: "0", count: 32),
        ] {
            #expect(ObjectName.read(name) == nil, "\(name)")
        }
    }

    /// A walk through a folder that changes finds what has gone and what has come for it. So what the store counts is held against
    /// the cap at every moment, and what the disk says against the count when nothing changes.
    @Test func theCapHoldsUnderTenTimesItsLoad() throws {
        let cap = 16 << 20
        let test = try TestStore(diskBytes: cap)
        let counters = test.store.counters
        var written = 0
        var round = 0
        var most = 0
        while written < 10 * cap {
            let fills = (0..<4).compactMap { index in test.lead("object \(round) \(index)")?.0 }
            for (index, fill) in fills.enumerated() {
                let body = pattern([300, 9_000, 70_000, 1_500_000][index] + round, seed: UInt64(round))
                let length = round % 2 == 0 ? body.count : nil
                test.loop.perform {
                    fill.begin(ObjectDescription(metadata: bytes("head"), record: CacheRecord(), bodyLength: length))
                    _ = fill.append(body.span)
                }
                most = max(most, counters.diskBytes.load(ordering: .relaxed))
                written += body.count
            }
            // Some are given up, and some are read while they are replaced.
            if round % 7 == 3 { test.loop.perform { fills[3].leave() } }
            if round % 5 == 1 { _ = test.get("object \(round - 1) 3") }
            for fill in fills { test.loop.perform { fill.complete() } }
            for fill in fills {
                eventually("the end of a fill") {
                    most = max(most, counters.diskBytes.load(ordering: .relaxed))
                    return fill.state.withLock { !$0.isWriting } && !test.store.fills.contains(fill)
                }
            }
            if round % 10 == 0 {
                let usage = test.folder.diskUsage
                #expect(usage <= counters.diskBytes.load(ordering: .relaxed))
                #expect(usage <= cap)
            }
            round += 1
        }
        #expect(most <= cap + cap / 100)
        #expect(test.folder.diskUsage > cap * 8 / 10)
        #expect(counters.evictions.load(ordering: .relaxed) > 50)
        try test.restart()
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        #expect(test.folder.diskUsage <= cap)
        #expect(test.store.counters.diskBytes.load(ordering: .relaxed) <= cap)
    }

    @Test(.enabled(if: geteuid() == 0, "needs the right to mount a small file system"))
    func aFullDiskCostsTheObjectAndNothingElse() throws {
        let folder = TemporaryFolder()
        guard unsafe mount("none", folder.path, "tmpfs", 0, "size=1m,mode=700") == 0 else { return }
        defer { unsafe umount2(folder.path, Int32(MNT_DETACH)) }
        let test = try TestStore { $0.path = folder.path + "/cache" }
        test.put("small", [1, 2, 3])
        try fillTheDisk(test)
        #expect(test.get("large") == nil)
        #expect(test.get("small")?.body == [1, 2, 3])
        eventually("no temporary file") { TemporaryFolder.names(test.directory + "/tmp").isEmpty }
        // And it comes back, once the last reader has closed the file.
        eventually("room") { test.store.counters.diskBytes.load(ordering: .relaxed) < ObjectStore.fixedBytes + 32_768 }
        test.put("next", [4])
        #expect(test.openIt("next")?.body == [4])
    }

    private func fillTheDisk(_ test: TestStore) throws {
        let body = pattern(3_000_000, seed: 1)
        let reader = TestReader(on: test.loop)
        guard let (fill, _) = test.lead("large") else { return fail("nobody leads") }
        let store = test.store
        test.loop.perform {
            fill.begin(ObjectDescription(metadata: bytes("head"), record: CacheRecord(), bodyLength: body.count))
            guard case .follow(let fill) = store.join(id("large"), key: bytes("large"), as: reader) else { return }
            reader.follow(fill)
        }
        for start in stride(from: 0, to: body.count, by: 100_000) {
            let piece = Array(body[start..<start + 100_000])
            let room = test.loop.perform { fill.append(piece.span) }
            if room == .blocked { eventually("room") { fill.state.withLock { !$0.isLeaderBlocked } } }
        }
        test.loop.perform { fill.complete() }
        reader.wait()
        #expect(test.loop.perform { reader.body } == body)
        eventually("the fill is over") { !store.fills.contains(fill) }
        #expect(store.counters.diskErrors.load(ordering: .relaxed) > 0)
    }

    @Test func foldersThatDoNotStayOpenCostNoDescriptors() throws {
        let test = try TestStore { $0.keepsFolders = false }
        for index in 0..<300 { test.put("object \(index)", pattern(100, seed: 1)) }
        test.put("large", pattern(500_000, seed: 2))
        try test.restart()
        eventually("the walk") { test.store.isIndexComplete.load(ordering: .relaxed) }
        for index in 0..<300 { #expect(test.get("object \(index)")?.body == pattern(100, seed: 1)) }
        #expect(test.get("large")?.body == pattern(500_000, seed: 2))
        let opened = TemporaryFolder.names("/proc/self/fd").compactMap { number -> String? in
            var target = [CChar](repeating: 0, count: 4096)
            guard unsafe readlink("/proc/self/fd/\(number)", &target, 4095) > 0 else { return nil }
            return String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        // The folder of a part has a name of two digits.
        let parts = "\(test.folder.path)/cache/"
        #expect(opened.contains(parts + "lock"))
        #expect(opened.allSatisfy { !$0.hasPrefix(parts) || $0.count != parts.count + 2 })

        for index in 0..<300 { test.store.forget(id("object \(index)")) }
        eventually("they are removed") { (0..<300).allSatisfy { !test.store.index.contains(id("object \($0)")) } }
        #expect(test.get("object 7") == nil)
        #expect(test.get("large") != nil)
    }
}
