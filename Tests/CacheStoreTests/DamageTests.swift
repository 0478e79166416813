// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import CacheStore

/// Whatever happens to a file: a miss or the right bytes, never others.
@Suite struct DamageTests {
    @Test func everyFlippedByteOfASmallFileIsAMiss() throws {
        let test = try TestStore()
        let body = pattern(300, seed: 1)
        test.put("key", body, scopes: [CacheScope(.tag, "t".utf8Span.span)])
        let path = test.path(id("key"))
        let sound = contents(path)
        #expect(sound.count > 460)
        for index in sound.indices {
            var damaged = sound
            damaged[index] ^= UInt8(1 << (index % 8))
            overwrite(path, damaged)
            test.store.objects.remove(id("key"))
            #expect(test.openIt("key") == nil, "byte \(index)")
            unsafe #expect(access(path, F_OK) != 0, "byte \(index)")
        }
        #expect(test.store.counters.corrupt.load(ordering: .relaxed) == sound.count)
        overwrite(path, sound)
        #expect(test.openIt("key")?.body == body)
    }

    @Test func everyTruncationAndAddedBytesAreAMiss() throws {
        let test = try TestStore()
        let body = pattern(100, seed: 1)
        test.put("key", body)
        let path = test.path(id("key"))
        let sound = contents(path)
        for length in 0..<sound.count {
            overwrite(path, Array(sound.prefix(length)))
            test.store.objects.remove(id("key"))
            #expect(test.openIt("key") == nil, "\(length) bytes")
        }
        overwrite(path, sound + [0])
        #expect(test.openIt("key") == nil)
        overwrite(path, sound)
        #expect(test.openIt("key")?.body == body)
    }

    @Test func aFlippedByteOfALargeFileIsNeverDelivered() throws {
        let test = try TestStore()
        let body = pattern(400_000, seed: 5)
        test.put("key", body)
        let path = test.path(id("key"))
        let sound = contents(path)
        for index in stride(from: 0, to: sound.count, by: 7919) {
            var damaged = sound
            damaged[index] ^= 0x10
            overwrite(path, damaged)
            #expect(test.openIt("key") == nil, "byte \(index)")
            eventually("removed") { unsafe access(path, F_OK) != 0 }
        }
        overwrite(path, sound)
        #expect(test.openIt("key")?.body == body)
    }

    @Test func twoChunksExchangedAreNoticed() throws {
        let test = try TestStore()
        let body = pattern(131_072, seed: 5)
        test.put("key", body)
        let path = test.path(id("key"))
        var exchanged = contents(path)
        let start = exchanged.count - StoredFooter.length(body.count) - body.count
        let first = Array(exchanged[start..<start + 65_536])
        let second = Array(exchanged[start + 65_536..<start + 131_072])
        exchanged.replaceSubrange(start..<start + 131_072, with: second + first)
        overwrite(path, exchanged)
        test.store.objects.remove(id("key"))
        #expect(test.openIt("key") == nil)
    }

    @Test func anotherObjectsFileUnderThisNameIsAMiss() throws {
        let test = try TestStore()
        test.put("one", [1])
        test.put("two", [2])
        overwrite(test.path(id("one")), contents(test.path(id("two"))))
        test.store.objects.remove(id("one"))
        #expect(test.openIt("one") == nil)
    }

    @Test func aMissingFileIsAMissAndItsBytesAreFree() throws {
        let test = try TestStore()
        test.put("key", [1])
        test.store.objects.remove(id("key"))
        unsafe unlink(test.path(id("key")))
        #expect(test.get("key") == nil)
        #expect(!test.store.index.contains(id("key")))
    }

    @Test func aSymbolicLinkIsNotFollowed() throws {
        let test = try TestStore()
        test.put("key", [1])
        let path = test.path(id("key"))
        unsafe rename(path, test.folder.path + "/moved")
        unsafe symlink(test.folder.path + "/moved", path)
        test.store.objects.remove(id("key"))
        #expect(test.openIt("key") == nil)
        unsafe #expect(access(test.folder.path + "/moved", F_OK) == 0)
    }
}
