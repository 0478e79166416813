// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Synchronization
import XCTest

@testable import CacheStore

/// Whatever happens to a file: a miss or the right bytes, never others.
final class DamageTests: XCTestCase {
    func testEveryFlippedByteOfASmallFileIsAMiss() throws {
        let test = try TestStore()
        let body = pattern(300, seed: 1)
        test.put("key", body, scopes: [CacheScope(.tag, "t".utf8Span.span)])
        let path = test.path(id("key"))
        let sound = contents(path)
        XCTAssertGreaterThan(sound.count, 460)
        for index in sound.indices {
            var damaged = sound
            damaged[index] ^= UInt8(1 << (index % 8))
            overwrite(path, damaged)
            test.store.objects.remove(id("key"))
            XCTAssertNil(test.openIt("key"), "byte \(index)")
            XCTAssertNotEqual(access(path, F_OK), 0, "byte \(index)")
        }
        XCTAssertEqual(test.store.counters.corrupt.load(ordering: .relaxed), sound.count)
        overwrite(path, sound)
        XCTAssertEqual(test.openIt("key")?.body, body)
    }

    func testEveryTruncationAndAddedBytesAreAMiss() throws {
        let test = try TestStore()
        let body = pattern(100, seed: 1)
        test.put("key", body)
        let path = test.path(id("key"))
        let sound = contents(path)
        for length in 0..<sound.count {
            overwrite(path, Array(sound.prefix(length)))
            test.store.objects.remove(id("key"))
            XCTAssertNil(test.openIt("key"), "\(length) bytes")
        }
        overwrite(path, sound + [0])
        XCTAssertNil(test.openIt("key"))
        overwrite(path, sound)
        XCTAssertEqual(test.openIt("key")?.body, body)
    }

    func testAFlippedByteOfALargeFileIsNeverDelivered() throws {
        let test = try TestStore()
        let body = pattern(400_000, seed: 5)
        test.put("key", body)
        let path = test.path(id("key"))
        let sound = contents(path)
        for index in stride(from: 0, to: sound.count, by: 7919) {
            var damaged = sound
            damaged[index] ^= 0x10
            overwrite(path, damaged)
            XCTAssertNil(test.openIt("key"), "byte \(index)")
            eventually("removed") { access(path, F_OK) != 0 }
        }
        overwrite(path, sound)
        XCTAssertEqual(test.openIt("key")?.body, body)
    }

    func testTwoChunksExchangedAreNoticed() throws {
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
        XCTAssertNil(test.openIt("key"))
    }

    func testAnotherObjectsFileUnderThisNameIsAMiss() throws {
        let test = try TestStore()
        test.put("one", [1])
        test.put("two", [2])
        overwrite(test.path(id("one")), contents(test.path(id("two"))))
        test.store.objects.remove(id("one"))
        XCTAssertNil(test.openIt("one"))
    }

    func testAMissingFileIsAMissAndItsBytesAreFree() throws {
        let test = try TestStore()
        test.put("key", [1])
        test.store.objects.remove(id("key"))
        unlink(test.path(id("key")))
        XCTAssertNil(test.get("key"))
        XCTAssertFalse(test.store.index.contains(id("key")))
    }

    func testASymbolicLinkIsNotFollowed() throws {
        let test = try TestStore()
        test.put("key", [1])
        let path = test.path(id("key"))
        rename(path, test.folder.path + "/moved")
        symlink(test.folder.path + "/moved", path)
        test.store.objects.remove(id("key"))
        XCTAssertNil(test.openIt("key"))
        XCTAssertEqual(access(test.folder.path + "/moved", F_OK), 0)
    }
}
